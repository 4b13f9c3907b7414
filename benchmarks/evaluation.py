"""How long evaluations take, and whether they agree: ours, SDMetrics and mostlyai-qa in turn.

    python benchmarks/peers/setup_peer.py sdmetrics mostlyai_qa
    python benchmarks/evaluation.py --results evaluation.json
    python benchmarks/evaluation.py --rows 1000000 --columns 50 --peers --results large.json

`--data` is a CSV file of real rows; the demo table Adult without it. Every system is a process of
its own on the same three files; seconds leave out reading them. Against a peer the parts count that
measure what it measures, on as many rows and without the holdout in the synthetic table's place;
intervals and headline tests, which no peer has, stay in.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter, process_time

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
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.privacy.dcr_share import DcrShare
from machine import describe
from wide_tables import ROLES, wide_tables

from llmsynth import demo_tables

FOLDER = Path(__file__).resolve().parent
PEERS = ("sdmetrics", "mostlyai_qa")
DCR_ROWS = {"sdmetrics": 2_000, "mostlyai_qa": 20_000}
"""Rows of each table whose distances a peer measures; ours measures the same number beside it."""
FULL = (ColumnDistances(), Coverage(), MissingRates(), Pairs(), Correlations(), Triples())
SHARED = {
    "sdmetrics": ("enter", *(f"{m.name} alone" for m in FULL[:-1]), "dcr_share as sdmetrics"),
    "mostlyai_qa": (
        *("enter", *(f"{m.name} alone" for m in FULL)),
        *("c2st alone", "dcr_share as mostlyai_qa"),
    ),
}
"""Our parts that together measure what the peer's reports do."""


@dataclass
class Clocks:
    """Seconds of named parts on the wall, and of all threads' processor time."""

    seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time the body under `name`."""
        start, cpu_start = perf_counter(), process_time()
        yield
        self.seconds[name] = perf_counter() - start
        self.cpu_seconds[name] = process_time() - cpu_start


def main() -> None:
    """Make the tables, run every system, print and write what was found."""
    options = _options()
    if options.ours:
        _run_ours(Path(options.ours), with_shared=bool(options.peers))
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
    load, start = os.getloadavg()[0], perf_counter()
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode or not out.exists():
        return {"error": run.stderr[-2000:]}
    found: dict[str, object] = json.loads(out.read_text(encoding="utf-8"))
    loads = {"load_before": round(load, 2), "load_after": round(os.getloadavg()[0], 2)}
    return {**found, "process_seconds": perf_counter() - start, **loads}


def _run_ours(folder: Path, *, with_shared: bool) -> None:
    frames = {role: pd.read_parquet(folder / f"{role}.parquet") for role in ROLES}
    clocks = Clocks()
    with clocks.timed("enter"):
        entrance = Entrance(frames["train"], frames["holdout"], Question())
        comparison = entrance.enter(frames.pop("synthetic"), name="synthetic").comparison
    found: dict[str, Measurement] = {}
    for metric, given in [*((m, comparison) for m in FULL), (DcrShare(), _capped(comparison))]:
        with clocks.timed(metric.name):
            found[metric.name] = metric.compute(given)
    if with_shared:
        _time_shared(comparison, clocks)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    columns = {c.name: 1 - c.error for c in found["column_distances"].columns}
    figures = {f.name: f.value for m in found.values() for f in m.figures}
    out = {"seconds": clocks.seconds, "cpu_seconds": clocks.cpu_seconds, "peak_mib": peak}
    text = {**out, "columns": columns, "figures": figures, "correlations": _pearson(found)}
    (folder / "found.json").write_text(json.dumps(text), encoding="utf-8")


def _time_shared(comparison: Comparison, clocks: Clocks) -> None:
    """The metrics that peers measure too, without the floors, which they do not measure."""
    bare = replace(comparison, with_floor=False)
    for metric in (*FULL, C2st()):
        given = _capped(bare) if metric.name == C2st.name else bare
        with clocks.timed(f"{metric.name} alone"):
            metric.compute(given)
    for peer, rows in DCR_ROWS.items():
        with clocks.timed(f"dcr_share as {peer}"):
            DcrShare().compute(bare.capped(rows))


def _capped(comparison: Comparison) -> Comparison:
    return comparison.capped(DCR_ROWS["mostlyai_qa"])


def _pearson(found: dict[str, Measurement]) -> dict[str, float]:
    table = found["correlations"].tables[0]
    first, second, train, ours = (
        table.columns.index(n) for n in ("number", "with", "Pearson, train", "Pearson, synthetic")
    )
    return {
        f"{row[first]} x {row[second]}": 1 - abs(float(row[train]) - float(row[ours])) / 2
        for row in table.rows
        if isinstance(row[train], float) and isinstance(row[ours], float)
    }


def _agreement(peer: str, found: dict[str, object]) -> dict[str, object]:
    """The largest difference of figures of one definition, and how much quicker ours are."""
    ours, theirs = found["ours"], found[peer]
    assert isinstance(ours, dict)
    assert isinstance(theirs, dict)
    if "error" in ours or "error" in theirs:
        return {}
    out: dict[str, object] = {}
    for clock in ("seconds", "cpu_seconds"):
        shared = sum(ours[clock][part] for part in SHARED[peer])
        whole = sum(theirs[clock].values())
        out[clock] = {"ours": shared, "theirs": whole, "times": whole / shared}
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
