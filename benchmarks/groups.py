"""Groups of rows in time: this project and TabularARGN's sequential mode on the same real groups.

    python benchmarks/groups.py --data DIR --results FILE --minutes 3 --runs 2

Entities are cut in two halves: systems learn one and write as many new ones, which are judged
against the other. Each run is a process of its own and one JSON line; a run that is in the file is
not repeated. `--table FILE` prints the results as Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import machine
import numpy as np
import pandas as pd
from ledger import read
from llmsynth_eval.related import evaluate_sequences

FOLDER = Path(__file__).resolve().parent
READ_CSV = {"keep_default_na": False, "na_values": [""]}
SYSTEMS = ("tabularargn", "llmsynth")
FIGURES = (
    "cardinality_ks",
    "gap_ks",
    "times_back",
    "static_changes",
    "autocorrelation_difference",
    "transition_distance",
    "shape",
    "trend",
)


@dataclass(frozen=True, kw_only=True)
class GroupCase:
    """One table of groups."""

    name: str
    file: str
    group_by: str
    order_by: str
    is_date: bool
    static: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    """Whole-number columns that are categories to the judge."""


CASES = (
    GroupCase(
        name="cdnow",
        file="relational/cdnow_purchases.csv.gz",
        group_by="users_id",
        order_by="date",
        is_date=True,
    ),
    GroupCase(
        name="bike_days",
        file="bike_sharing_hour.csv.gz",
        group_by="dteday",
        order_by="hr",
        is_date=False,
        static=("season", "yr", "mnth", "holiday", "weekday", "workingday"),
        dropped=("instant",),
        categories=("weathersit",),
    ),
)


def main() -> None:
    """Run what is planned and not in the results file yet."""
    parser = asking("groups", __doc__, SYSTEMS)
    parser.add_argument("--cases", nargs="*", default=[case.name for case in CASES])
    options = parser.parse_args()
    if options.table:
        print(markdown(list(read(options.table))))
        return
    if options.data is None:
        parser.error("--data is needed: the folder of the real tables")
    done = {(r["case"], r["system"], r["run"], r["minutes"]) for r in read(options.results)}
    for case in (case for case in CASES if case.name in options.cases):
        halves = cut(case, options.data, options.work / case.name)
        for run in range(options.runs):
            for system in options.systems:
                if (case.name, system, run, options.minutes) in done:
                    continue
                record = run_once(case, halves, system, run, options)
                with options.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(record) + "\n")


def asking(name: str, doc: str, systems: tuple[str, ...]) -> argparse.ArgumentParser:
    """The options that the benchmarks of groups and of related tables share."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--results", type=Path, default=Path(f"{name}.jsonl"))
    parser.add_argument("--work", type=Path, default=FOLDER / "work" / name)
    parser.add_argument("--systems", nargs="*", default=list(systems), choices=systems)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--table", type=Path)
    return parser


def cut(case: GroupCase, data: Path, work: Path) -> tuple[Path, Path]:
    """Train and holdout files: every entity in one of them, by a fixed seed."""
    work.mkdir(parents=True, exist_ok=True)
    train, holdout = work / "train.csv", work / "holdout.csv"
    table = pd.read_csv(data / case.file, **READ_CSV).drop(columns=list(case.dropped))
    table = table.sort_values([case.group_by, case.order_by], kind="stable")
    keys = table[case.group_by].unique()
    chosen = np.random.default_rng(0).permutation(keys)[: len(keys) // 2]
    is_train = table[case.group_by].isin(chosen)
    table[is_train].to_csv(train, index=False)
    table[~is_train].to_csv(holdout, index=False)
    return train, holdout


def run_once(
    case: GroupCase,
    halves: tuple[Path, Path],
    system: str,
    run: int,
    options: argparse.Namespace,
) -> dict[str, object]:
    """One fit, one sample, one judgement."""
    train, holdout = (pd.read_csv(path, **READ_CSV) for path in halves)
    folder = options.work / case.name / f"{system}-{run}"
    folder.mkdir(parents=True, exist_ok=True)
    request = {
        "train": str(halves[0]),
        "out": str(folder / "synthetic.csv"),
        "timing": str(folder / "timing.json"),
        "group_by": case.group_by,
        "order_by": case.order_by,
        "static": list(case.static),
        "is_date": case.is_date,
        "groups": int(train[case.group_by].nunique()),
        "seed": run,
        "max_minutes": options.minutes,
    }
    load = machine.describe()["load"]
    call(system, "run_groups.py", request, folder)
    synthetic = pd.read_csv(folder / "synthetic.csv", **READ_CSV)
    found = evaluate_sequences(
        train,
        synthetic,
        holdout,
        group_by=case.group_by,
        order_by=case.order_by,
        static=case.static,
        categories=case.categories,
    )
    (folder / "judgement.json").write_text(found.to_json(), encoding="utf-8")
    figures = {f.name: f for part in found.parts.values() for f in part.figures}
    return {
        "case": case.name,
        "system": system,
        "run": run,
        "minutes": options.minutes,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.describe() | {"load_before": load},
        "rows": {"train": len(train), "synthetic": len(synthetic)},
        "timing": json.loads((folder / "timing.json").read_text(encoding="utf-8")),
        "figures": {name: [f.value, f.interval] for name, f in figures.items()},
        "floors": {name: f.floor for name, f in figures.items()},
    }


def call(system: str, script: str, request: dict[str, object], folder: Path) -> None:
    """Run one system's script as a process of its own; its output goes to `folder/log.txt`."""
    peer = FOLDER / "peers" / system
    python = Path(sys.executable) if system == "llmsynth" else peer / ".venv" / "bin" / "python"
    if not python.exists():
        raise SystemExit(f"First: python {FOLDER / 'peers' / 'setup_peer.py'} {system}")
    file = folder / "request.json"
    file.write_text(json.dumps(request), encoding="utf-8")
    paths = [FOLDER / "peers" / "contract", *([FOLDER.parent] if system == "llmsynth" else [])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        subprocess.run(
            [str(python), str(peer / script), str(file)],
            check=True,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
        )


def markdown(records: list[dict[str, object]]) -> str:
    """A line a case and system: means over runs, beside the real-real floor."""
    frame = pd.json_normalize(records)
    names = [n for n in FIGURES if f"figures.{n}" in frame.columns]
    lines = [
        "| | system | " + " | ".join(names) + " | fit, wall s | fit, processor s |",
        "|" + "---|" * (len(names) + 4),
    ]
    for case, of_case in frame.groupby("case", sort=False):
        floor = [short(of_case[f"floors.{name}"].iloc[0]) for name in names]
        lines.append(f"| {case} | real groups (the floor) | " + " | ".join(floor) + " | | |")
        for system, runs in of_case.groupby("system", sort=False):
            cells = [short(runs[f"figures.{n}"].map(first).mean()) for n in names]
            times = [f"{runs[f'timing.fit_{kind}'].mean():.0f}" for kind in ("s", "cpu_s")]
            lines.append(f"| | {system}, {len(runs)} runs | " + " | ".join([*cells, *times]) + " |")
    return "\n".join(lines)


def first(cell: object) -> float | None:
    """A figure's value; None where it was not measured."""
    return cell[0] if isinstance(cell, list) else None


def short(value: float | None) -> str:
    """Four decimals, or a dash."""
    return "-" if value is None or pd.isna(value) else f"{value:.4f}"


if __name__ == "__main__":
    main()
