"""How long evaluations take, and whether they agree: ours, SDMetrics and mostlyai-qa in turn.

    python benchmarks/peers/setup_peer.py sdmetrics mostlyai_qa
    python benchmarks/evaluation.py --results evaluation.json
    python benchmarks/evaluation.py --rows 1000000 --columns 50 --peers --results large.json

`--data` is a CSV file of real rows; the demo table Adult without it. Every system is a process of
its own on the same three files; seconds leave out reading them.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import pandas as pd
from llmsynth_eval.entrance import Entrance, Question
from llmsynth_eval.fidelity import (
    C2st,
    ColumnDistances,
    Correlations,
    Coverage,
    MissingRates,
    Pairs,
    Triples,
)
from llmsynth_eval.metric import Measurement, Metric
from llmsynth_eval.privacy.dcr_share import DcrShare
from machine import describe
from wide_tables import ROLES, wide_tables

from llmsynth import demo_tables

FOLDER = Path(__file__).resolve().parent
PEERS = ("sdmetrics", "mostlyai_qa")
DCR_ROWS = 20_000
FULL = (ColumnDistances(), Coverage(), MissingRates(), Pairs(), Correlations(), Triples())
SHARED = {
    "sdmetrics": ("enter", *(m.name for m in FULL[:-1]), "dcr_share"),
    "mostlyai_qa": ("enter", *(m.name for m in FULL), "c2st", "dcr_share"),
}
"""Our parts that together measure what the peer's reports do."""


def main() -> None:
    """Make the tables, run every system, print and write what was found."""
    options = _options()
    if options.ours:
        _run_ours(Path(options.ours), with_c2st=bool(options.peers))
        return
    real = pd.read_csv(options.data or demo_tables.path("adult"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = wide_tables(real, rows=options.rows, columns=options.columns, seed=options.seed)
        for role, table in tables.items():
            table.to_parquet(folder / f"{role}.parquet")
        del tables
        found = {"machine": describe(), "rows": options.rows, "columns": options.columns}
        found["ours"] = _process(
            [sys.executable, __file__, "--ours", str(folder), "--peers", *options.peers], folder
        )
        for peer in options.peers:
            found[peer] = _process(_command(peer, folder), folder)
            found[f"agreement with {peer}"] = _agreement(peer, found)
    for line in _summary(found):
        print(line)
    if options.results:
        options.results.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, metavar="CSV")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS)
    parser.add_argument("--results", type=Path, metavar="JSON")
    parser.add_argument("--ours", metavar="DIR", help=argparse.SUPPRESS)
    return parser.parse_args()


def _command(peer: str, folder: Path) -> list[str]:
    python = FOLDER / "peers" / peer / ".venv" / "bin" / "python"
    files = [part for r in ROLES for part in (f"--{r}", str(folder / f"{r}.parquet"))]
    script = FOLDER / "peers" / peer / "run.py"
    return [str(python), str(script), *files, "--json", str(folder / "found.json")]


def _process(command: list[str], folder: Path) -> dict[str, object]:
    out = folder / "found.json"
    out.unlink(missing_ok=True)
    start = perf_counter()
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode or not out.exists():
        return {"error": run.stderr[-2000:]}
    found: dict[str, object] = json.loads(out.read_text(encoding="utf-8"))
    return {**found, "process_seconds": perf_counter() - start}


def _run_ours(folder: Path, *, with_c2st: bool) -> None:
    frames = {role: pd.read_parquet(folder / f"{role}.parquet") for role in ROLES}
    seconds, start = {}, perf_counter()
    entrance = Entrance(frames["train"], frames["holdout"], Question())
    comparison = entrance.enter(frames.pop("synthetic"), name="synthetic").comparison
    seconds["enter"] = perf_counter() - start
    capped = comparison.capped(DCR_ROWS)
    plan: list[tuple[Metric, bool]] = [(metric, False) for metric in FULL]
    plan += [(DcrShare(), True)] + ([(C2st(), True)] if with_c2st else [])
    found: dict[str, Measurement] = {}
    for metric, is_capped in plan:
        start = perf_counter()
        found[metric.name] = metric.compute(capped if is_capped else comparison)
        seconds[metric.name] = perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    columns = {c.name: 1 - c.error for c in found["column_distances"].columns}
    figures = {f.name: f.value for m in found.values() for f in m.figures}
    table = found["correlations"].tables[0]
    first, second, train, ours = (
        table.columns.index(n) for n in ("number", "with", "Pearson, train", "Pearson, synthetic")
    )
    pairs = {
        f"{row[first]} x {row[second]}": 1 - abs(float(row[train]) - float(row[ours])) / 2
        for row in table.rows
        if isinstance(row[train], float) and isinstance(row[ours], float)
    }
    out = {"seconds": seconds, "peak_mib": peak, "columns": columns, "figures": figures}
    text = json.dumps({**out, "correlations": pairs})
    (folder / "found.json").write_text(text, encoding="utf-8")


def _agreement(peer: str, found: dict[str, object]) -> dict[str, object]:
    """The largest difference of figures of one definition, and how much quicker ours are."""
    ours, theirs = found["ours"], found[peer]
    assert isinstance(ours, dict)
    assert isinstance(theirs, dict)
    if "error" in ours or "error" in theirs:
        return {}
    shared = sum(ours["seconds"][part] for part in SHARED[peer])
    out: dict[str, object] = {
        "our_seconds": shared,
        "their_seconds": (whole := sum(theirs["seconds"].values())),
        "times": whole / shared,
    }
    if peer == "sdmetrics":
        gaps = [abs(ours["columns"][n] - value) for n, value in theirs["columns"].items()]
        out["largest difference of KS and TV"] = max(gaps)
        out["largest difference of correlations"] = max(
            abs(_either_way(ours["correlations"], name) - value)
            for name, value in theirs["correlations"].items()
        )
    return out


def _either_way(pairs: dict[str, float], name: str) -> float:
    first, second = name.split(" x ")
    return pairs[name] if name in pairs else pairs[f"{second} x {first}"]


def _summary(found: dict[str, object]) -> list[str]:
    return [f"{name}: {json.dumps(part)[:600]}" for name, part in found.items()]


if __name__ == "__main__":
    main()
