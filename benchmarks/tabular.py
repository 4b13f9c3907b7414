"""Runs this project and its peers side by side on real tables, and judges what each wrote.

    python benchmarks/tabular.py --data DIR --results FILE --systems tabularargn ours@1x ours

Every run is a process of its own; systems take turns within a run (peer, ours, peer, ours, ...), so
that a busy hour hits all of them. Each result is one JSON line; a run that is in the file already
is not repeated. `benchmarks/results_table.py` turns the file into Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import machine
import systems
from cases import BY_NAME, Case, Halves, cut_in_two, prepare, source
from judging import judge_files
from ledger import Ledger, key
from llmsynth_eval import Judgement
from systems import IDENTITY, RunFailedError, System, read_system

REFERENCE = "tabularargn"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to run, and where to keep it."""

    cases: tuple[Case, ...]
    arms: tuple[System, ...]
    runs: int
    max_rows: int
    """Most rows of the train half, and of the holdout half."""
    split_seed: int
    data: Path | None
    work: Path
    ledger: Ledger = field(repr=False)
    resumes: bool


def main(arguments: Sequence[str] | None = None) -> None:
    """Run everything that is planned and not in the results file yet."""
    plan = read_plan(arguments)
    for case in plan.cases:
        folder = plan.work / case.name
        file = source(case, plan.data)
        halves = prepare(case, file, folder, max_rows=plan.max_rows, seed=plan.split_seed)
        for run in range(plan.runs):
            for arm in plan.arms:
                _run_once(plan, case, halves, arm, run)


def read_plan(arguments: Sequence[str] | None = None) -> Plan:
    """The plan on the command line."""
    options = _parser().parse_args(arguments)
    minutes, epochs = dict(options.minutes), dict(options.epochs)
    limits = {"minutes": minutes, "epochs": epochs}
    arms = [read_system(name, **limits, threads=options.threads) for name in options.systems]
    names = [arm.name for arm in arms]
    for arm in arms:
        if arm.time_factor is not None and REFERENCE not in names[: names.index(arm.name)]:
            raise SystemExit(
                f"{arm.name} takes its time from {REFERENCE}: name that one before it."
            )
    for name in {*minutes, *epochs} - set(names):
        raise SystemExit(f"A limit is given for {name}, which is not among the systems.")
    if options.identity:
        arms.append(System(name=IDENTITY, threads=options.threads))
    options.results.parent.mkdir(parents=True, exist_ok=True)
    return Plan(
        cases=tuple(BY_NAME[name] for name in options.tables),
        arms=tuple(arms),
        runs=options.runs,
        max_rows=options.max_rows,
        split_seed=options.split_seed,
        data=options.data,
        work=options.work,
        ledger=Ledger(options.results),
        resumes=options.resume,
    )


def _run_once(plan: Plan, case: Case, halves: Halves, arm: System, run: int) -> None:
    record = _head(plan, case, halves, arm, run)
    if plan.resumes and plan.ledger.get(key(record)) is not None:
        return
    if arm.name == IDENTITY and run:
        return
    place = plan.work / case.name / arm.name / f"run-{run}"
    record |= machine.describe()
    try:
        found = _judged(plan, case, halves, arm, run=run, folder=place)
    except RunFailedError as error:
        found = {"error": str(error)}
    plan.ledger.add(record | found)
    print(f"{case.name:22} {arm.name:14} run {run}: {_line(found)}", flush=True)


def _head(plan: Plan, case: Case, halves: Halves, arm: System, run: int) -> dict[str, object]:
    return {
        "table": case.name,
        "system": arm.name,
        "run": run,
        "train_rows": halves.num_rows,
        "split_seed": plan.split_seed,
        "asked": arm.settings,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _judged(
    plan: Plan, case: Case, halves: Halves, arm: System, *, run: int, folder: Path
) -> dict[str, object]:
    holdout, timed = halves.holdout, {}
    if arm.name == IDENTITY:
        synthetic, holdout = cut_in_two(halves.holdout, folder)
    else:
        minutes = _minutes(plan, case, halves, arm, run)
        synthetic, timing = systems.run(
            arm,
            folder,
            train=halves.train,
            rows=halves.num_rows,
            seed=run,
            target=case.target,
            dates=case.dates,
            minutes=minutes,
        )
        timed = {"minutes": minutes, **vars(timing)}
    start = perf_counter()
    judgement = judge_files(
        case, train=halves.train, synthetic=synthetic, holdout=holdout, threads=arm.threads
    )
    (folder / "judgement.json").write_text(judgement.to_json(), encoding="utf-8")
    return timed | {"judge_s": perf_counter() - start} | _figures(judgement)


def _minutes(plan: Plan, case: Case, halves: Halves, arm: System, run: int) -> float | None:
    """The arm's limit: its own, or its multiple of what the reference took in this very run."""
    if arm.time_factor is None:
        return arm.minutes
    peer = next(other for other in plan.arms if other.name == REFERENCE)
    record = plan.ledger.get(key(_head(plan, case, halves, peer, run)))
    if record is None:
        raise RunFailedError(f"{REFERENCE} has no finished run {run}, so there is no time limit.")
    return arm.time_factor * float(str(record["fit_s"])) / 60


def _figures(judgement: Judgement) -> dict[str, object]:
    figures = {
        figure.name: {
            "title": figure.title,
            "goal": figure.goal,
            "value": figure.value,
            "interval": figure.interval,
            "floor": figure.floor,
        }
        for figure in judgement.figures
    }
    return {"rows": judgement.counts["synthetic rows"], "figures": figures}


def _line(found: dict[str, object]) -> str:
    if "error" in found:
        return f"FAILED, {str(found['error']).splitlines()[-1]}"
    figures = found["figures"]
    assert isinstance(figures, dict)
    values = "  ".join(
        f"{name} {figure['value']:.4f} ({figure['floor']:.4f})"
        for name, figure in figures.items()
        if figure["value"] is not None and figure["floor"] is not None
    )
    return f"fit {found.get('fit_s', 0):.1f} s  sample {found.get('sample_s', 0):.1f} s  {values}"


def _limit(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    return name, float(number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--data", type=Path, metavar="DIR", help="the tables' folder; the demo tables without it")
    add("--tables", nargs="+", default=list(BY_NAME), choices=BY_NAME, metavar="TABLE")
    add("--systems", nargs="+", default=[REFERENCE, "ours@1x", "ours@4x", "ours"])
    add("--runs", type=int, default=3, help="runs of each system on each table")
    add("--max-rows", type=int, default=20_000, help="most rows of the train half")
    add("--split-seed", type=int, default=0)
    add("--work", type=Path, default=Path(__file__).parent / "work", help="where files go")
    add("--results", type=Path, required=True, help="JSON lines, appended to")
    add("--resume", action=argparse.BooleanOptionalAction, default=True)
    add("--identity", action="store_true", help="also judge real rows, which must score the floor")
    add("--threads", type=int, help="OpenMP threads of every system; without it, its own default")
    add("--minutes", nargs="+", default=[], type=_limit, metavar="SYSTEM=MINUTES")
    add("--epochs", nargs="+", default=[], type=_limit, metavar="SYSTEM=EPOCHS")
    return parser


if __name__ == "__main__":
    main()
