"""A few hundred rows of a table: the pretrained model beside compact, TabularARGN, GaussianCopula.

    llmsynth models pull smollm2-135m
    python benchmarks/peers/setup_peer.py sdv tabularargn
    python benchmarks/small_table.py --rows 500 --minutes 30 --results small.jsonl

Every system learns the same file and draws as many rows; one judge compares them with 2,000 real
rows that none of them saw. One JSON line per finished system; a run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from datetime import date
from pathlib import Path

import machine
from cases import BY_NAME, Case, prepare, source
from judging import judge_files
from systems import read_system, run

SYSTEMS = ["ours", "sdv+gaussian_copula", "tabularargn", "ours+smollm2-135m"]


def main() -> None:
    """Run every system that has no line in the results yet."""
    options = _options()
    case = BY_NAME[options.case]
    done = _done(options.results)
    with tempfile.TemporaryDirectory() as scratch:
        work: Path = options.work or Path(scratch)
        train, holdout = _tables(case, work, options)
        for name in options.systems:
            if name not in done:
                line = json.dumps(_figures(name, case, train, holdout, work, options))
                print(line, flush=True)
                with options.results.open("a", encoding="utf-8") as handle:
                    handle.write(line + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--case", default="adult", choices=sorted(BY_NAME))
    parser.add_argument("--data", type=Path, help="folder of the full tables")
    parser.add_argument("--systems", nargs="+", default=SYSTEMS)
    parser.add_argument("--rows", type=int, default=500, help="rows learned, and rows drawn")
    parser.add_argument("--held-out", type=int, default=2000)
    parser.add_argument("--minutes", type=float, default=30.0, help="limit of each fit")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="keep the tables here")
    parser.add_argument("--results", type=Path, required=True)
    return parser.parse_args()


def _done(results: Path) -> set[str]:
    if not results.exists():
        return set()
    lines = results.read_text(encoding="utf-8").splitlines()
    return {json.loads(line)["system"] for line in lines}


def _tables(case: Case, work: Path, options: argparse.Namespace) -> tuple[Path, Path]:
    """The first rows of the train half, and the holdout half."""
    file = source(case, options.data)
    halves = prepare(case, file, work / case.name, max_rows=options.held_out, seed=options.seed)
    train = work / case.name / "few.csv"
    with halves.train.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle))[: options.rows + 1]
    with train.open("w", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows(rows)
    return train, halves.holdout


def _figures(
    name: str, case: Case, train: Path, holdout: Path, work: Path, options: argparse.Namespace
) -> dict[str, object]:
    system = read_system(name, minutes={}, epochs={}, threads=options.threads)
    synthetic, timing = run(
        system,
        work / name,
        train=train,
        rows=options.rows,
        seed=options.seed,
        target=case.target,
        dates=case.dates,
        minutes=options.minutes,
    )
    judgement = judge_files(
        case, train=train, synthetic=synthetic, holdout=holdout, threads=options.threads
    )
    return {
        "date": date.today().isoformat(),
        **machine.describe(),
        "system": name,
        "case": case.name,
        "rows": options.rows,
        "seed": options.seed,
        **vars(timing),
        "figures": {
            figure.name: {"value": figure.value, "floor": figure.floor}
            for figure in judgement.figures
        },
    }


if __name__ == "__main__":
    main()
