"""Columns drawn anew given the others: a fit made for it, beside a fit of whole rows.

    python benchmarks/replacing.py --data DIR --rows 3000

Half of a table is learned, and some of its columns are replaced. Asked of the outcome, whose other
cells are real: shape and trend error against the other half, and what a learner taught by it knows
of the other half's target (TSTR), beside one taught by the real half (TRTR). `kept` is the share
of replaced cells that came out as they were, in rows that were learned and in rows that were not:
were the first larger, the model would be repeating rows.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cases import BY_NAME, Case, Halves, prepare, source
from judging import judge_files
from machine import describe

from llmsynth import Synthesizer, replace

REPLACED: Mapping[str, Sequence[str]] = {
    "adult": ("occupation", "marital_status", "hours_per_week", "income"),
    "california_housing": ("median_income", "households", "median_house_value"),
}
WAYS = ("under the others", "whole rows")


def main() -> None:
    """Run both ways on both tables and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(time.strftime("%Y-%m-%d"), describe())
    print(
        "| table | fit | shape | trend | TSTR | TRTR | kept, learned | kept, others | fit, CPU s |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name in REPLACED:
        case = BY_NAME[name]
        with tempfile.TemporaryDirectory() as folder:
            halves = prepare(
                case,
                source(case, options.data),
                Path(folder),
                max_rows=options.rows,
                seed=options.seed,
            )
            for way in WAYS:
                cells = _cells(case, halves, Path(folder), way, options.seed)
                print(f"| {name} | {way} | {' | '.join(cells)} |", flush=True)


def _cells(case: Case, halves: Halves, folder: Path, way: str, seed: int) -> Iterator[str]:
    columns = REPLACED[case.name]
    begun = time.process_time()
    synthesizer = Synthesizer(seed=seed, personal_data="keep")
    if way == "whole rows":
        synthesizer.fit(halves.train)
    found = replace(halves.train, columns, synthesizer=synthesizer, seed=seed)
    seconds = time.process_time() - begun
    others = replace(halves.holdout, columns, synthesizer=found.synthesizer, seed=seed)
    out = folder / "replaced.csv"
    found.to_pandas().to_csv(out, index=False)
    judged = judge_files(case, train=halves.train, synthetic=out, holdout=halves.holdout).values
    score = "auc" if "tstr_auc" in judged else "r2"
    for name in ("shape", "trend", f"tstr_{score}", f"trtr_{score}"):
        yield f"{judged[name]:.4f}"
    for kept in (found.unchanged, others.unchanged):
        yield f"{sum(kept.values()) / len(kept):.3f}"
    yield f"{seconds:.0f}"


if __name__ == "__main__":
    main()
