"""One page on which synthetic tables of several systems stand side by side.

    python benchmarks/peers/setup_peer.py sdv tabularargn
    python benchmarks/comparison.py --data DIR --out benchmarks/comparison

Every system learns from the same train file, and `llmsynth-eval report` judges all their tables in
one run. Fits are bounded by `EPOCHS` and `MINUTES`: the page shows a small budget, no system at
its best. Without `--data` the demo table of the case is used.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from cases import BY_NAME, Case, Halves, prepare, source
from machine import describe
from systems import OURS, Timing, read_system, run

FOLDER = Path(__file__).resolve().parent
NAMES = {
    "sdv+gaussian_copula": "GaussianCopula",
    "sdv+smote": "SMOTE",
    "sdv+tvae": "TVAE",
    "sdv+ctgan": "CTGAN",
    "tabularargn": "TabularARGN",
    OURS: "llmsynth",
}
EPOCHS = {"sdv+ctgan": 150.0, "sdv+tvae": 150.0}
MINUTES = {"tabularargn": 3.0, OURS: 3.0}
"""Limits of a fit: less than three minutes of one core on 4,000 rows of Adult."""


def main() -> None:
    """Cut the table, run every system, judge all tables in one report."""
    options = _options()
    case = BY_NAME[options.case]
    work: Path = options.work
    file = source(case, options.data)
    halves = prepare(case, file, work, max_rows=options.max_rows, seed=options.seed)
    made: dict[str, Path] = {}
    fits: dict[str, Timing] = {}
    for name in options.systems:
        made[NAMES[name]], fits[NAMES[name]] = _made(name, case, halves, work, options)
        print(f"{NAMES[name]}: {fits[NAMES[name]].fit_cpu_s:.0f} CPU seconds to fit", flush=True)
    _report(case, halves, made, options.out)
    record = {
        "made on": datetime.now(UTC).date().isoformat(),
        "machine": describe(),
        "table": f"{case.name}, {halves.num_rows} train and {halves.num_rows} holdout rows",
        "fits": {name: asdict(timing) for name, timing in fits.items()},
    }
    text = json.dumps(record, indent=2) + "\n"
    (options.out / "fits.json").write_text(text, encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, metavar="DIR")
    parser.add_argument("--case", choices=sorted(BY_NAME), default="adult")
    parser.add_argument("--max-rows", type=int, default=4_000)
    parser.add_argument("--systems", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="threads of every system")
    parser.add_argument("--work", type=Path, default=FOLDER / "work" / "comparison")
    parser.add_argument("--out", type=Path, default=FOLDER / "comparison")
    return parser.parse_args()


def _made(
    name: str, case: Case, halves: Halves, work: Path, options: argparse.Namespace
) -> tuple[Path, Timing]:
    """One system's table; taken from an earlier run where the work folder holds it."""
    folder = work / name
    out, timing = folder / "synthetic.csv", folder / "timing.json"
    if out.exists() and timing.exists():
        return out, Timing(**json.loads(timing.read_text(encoding="utf-8")))
    system = read_system(name, minutes=MINUTES, epochs=EPOCHS, threads=options.threads)
    return run(
        system,
        folder,
        train=halves.train,
        rows=halves.num_rows,
        seed=options.seed,
        target=case.target,
        dates=case.dates,
        minutes=system.minutes,
    )


def _report(case: Case, halves: Halves, made: dict[str, Path], out: Path) -> None:
    command: Sequence[str] = [
        *(sys.executable, "-m", "llmsynth_eval", "report"),
        *("--train", str(halves.train), "--holdout", str(halves.holdout)),
        *(part for name, file in made.items() for part in ("--synthetic", f"{name}={file}")),
        *("--target", case.target, "--out", str(out)),
        *("--title", f"{len(made)} systems on {halves.num_rows:,} rows of {case.name}"),
    ]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})


if __name__ == "__main__":
    main()
