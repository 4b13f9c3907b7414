"""How well rows drawn under a condition match real rows that meet it.

    python benchmarks/conditions.py --rows 16000

Adult is cut in two halves; a synthesizer learns one. For each condition it draws as many rows as
its half holds of them, and every other column's distribution is compared with the other half's by
total variation. What two real samples of those sizes differ by is measured on random re-splits of
the real rows; the excess is the synthetic rows' distance less that of the train half's own rows.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from cases import BY_NAME, prepare, source

from llmsynth import Synthesizer

CONDITIONS: tuple[Mapping[str, str], ...] = (
    {"sex": "Female"},
    {"income": ">50K"},
    {"sex": "Male", "education": "Bachelors"},
    {"workclass": "Private", "income": ">50K"},
    {
        "workclass": "Private",
        "education": "HS-grad",
        "marital_status": "Married-civ-spouse",
        "race": "White",
        "income": "<=50K",
    },
)
_BINS = 10

Codes = npt.NDArray[np.int64]
"""(rows, columns), each column's values numbered from 0."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One condition's distances: total variation, mean over the columns that are not given."""

    condition: str
    num_given: int
    train_rows: int
    holdout_rows: int
    synthetic: float
    real: float
    real_interval: tuple[float, float]
    """95% of what two real samples of these sizes differ by."""
    excess: float
    """Synthetic against holdout, less train against holdout."""
    excess_interval: tuple[float, float]
    """95% of the excess over bootstrap resamples of all three tables' rows."""


def measure(
    *, rows: int, epochs: float | None, resamples: int = 200, seed: int = 0
) -> list[Figure]:
    """Fit on half of Adult and measure every condition.

    Args:
        rows: most rows of each half.
        epochs: limit of the fit; the synthesizer's own choice when omitted.
    """
    case = BY_NAME["adult"]
    with tempfile.TemporaryDirectory() as folder:
        halves = prepare(case, source(case, None), Path(folder), max_rows=rows, seed=seed)
        synthesizer = Synthesizer(target=case.target, max_epochs=epochs, seed=seed)
        synthesizer.fit(halves.train)
        train, holdout = _read(halves.train), _read(halves.holdout)
    return [
        _figure(synthesizer, condition, train, holdout, resamples, np.random.default_rng(seed))
        for condition in CONDITIONS
    ]


def _figure(
    synthesizer: Synthesizer,
    condition: Mapping[str, str],
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    resamples: int,
    rng: np.random.Generator,
) -> Figure:
    edges = {name: _edges(train[name]) for name in train if name not in condition}
    own, other = _meeting(train, condition), _meeting(holdout, condition)
    drawn = synthesizer.sample(len(own), where=condition, seed=1).to_pandas()
    drawn = drawn.astype({name: str for name, cuts in edges.items() if cuts is None})
    synthetic, real, rest = _coded((drawn, own, other), edges)
    excesses = [
        _distance(_resampled(synthetic, rng), held) - _distance(_resampled(real, rng), held)
        for held in (_resampled(rest, rng) for _ in range(resamples))
    ]
    splits = [_distance(*halves) for halves in _resplits(real, rest, resamples, rng)]
    return Figure(
        condition=", ".join(f"{name}={value}" for name, value in condition.items()),
        num_given=len(condition),
        train_rows=len(own),
        holdout_rows=len(other),
        synthetic=_distance(synthetic, rest),
        real=_distance(real, rest),
        real_interval=_interval(splits),
        excess=_distance(synthetic, rest) - _distance(real, rest),
        excess_interval=_interval(excesses),
    )


def _read(file: Path) -> pd.DataFrame:
    return pd.read_csv(file, dtype=str, keep_default_na=False)


def _meeting(table: pd.DataFrame, condition: Mapping[str, str]) -> pd.DataFrame:
    meets = np.ones(len(table), dtype=bool)
    for name, value in condition.items():
        meets &= (table[name] == value).to_numpy()
    return table[meets]


def _edges(cells: pd.Series) -> npt.NDArray[np.float64] | None:
    """Cuts of a numeric column at the deciles of all train rows; None for categories."""
    numbers = pd.to_numeric(cells, errors="coerce")
    if numbers.isna().any():
        return None
    return np.unique(np.quantile(numbers, np.linspace(0, 1, _BINS + 1)[1:-1]))


def _coded(
    tables: Sequence[pd.DataFrame], edges: Mapping[str, npt.NDArray[np.float64] | None]
) -> list[Codes]:
    coded = [np.zeros((len(table), len(edges)), dtype=np.int64) for table in tables]
    for at, (name, cuts) in enumerate(edges.items()):
        if cuts is None:
            known = pd.Index(pd.unique(pd.concat([table[name] for table in tables])))
            for codes, table in zip(coded, tables, strict=True):
                codes[:, at] = known.get_indexer(table[name])
        else:
            for codes, table in zip(coded, tables, strict=True):
                codes[:, at] = np.searchsorted(cuts, table[name].astype(float))
    return coded


def _distance(left: Codes, right: Codes) -> float:
    """Total variation of each column's distributions, mean over the columns."""
    out = []
    for mine, theirs in zip(left.T, right.T, strict=True):
        size = int(max(mine.max(), theirs.max())) + 1
        counts = [np.bincount(codes, minlength=size) / len(codes) for codes in (mine, theirs)]
        out.append(np.abs(counts[0] - counts[1]).sum() / 2)
    return float(np.mean(out))


def _resampled(codes: Codes, rng: np.random.Generator) -> Codes:
    return codes[rng.integers(0, len(codes), len(codes))]


def _resplits(
    left: Codes, right: Codes, count: int, rng: np.random.Generator
) -> Iterator[tuple[Codes, Codes]]:
    pooled = np.concatenate([left, right])
    for _ in range(count):
        mixed = rng.permutation(pooled)
        yield mixed[: len(left)], mixed[len(left) :]


def _interval(replicates: Sequence[float]) -> tuple[float, float]:
    low, high = np.quantile(replicates, [0.025, 0.975])
    return float(low), float(high)


def to_markdown(figures: Sequence[Figure]) -> str:
    """The figures as a table of one row per condition."""
    lines = [
        "| condition | given | train, holdout | TV synthetic | TV real (95%) | excess (95%) |",
        "|---|---|---|---|---|---|",
    ]
    for found in figures:
        real = "{:.4f} ({:.4f} to {:.4f})".format(found.real, *found.real_interval)
        excess = "{:+.4f} ({:+.4f} to {:+.4f})".format(found.excess, *found.excess_interval)
        lines.append(
            f"| {found.condition} | {found.num_given} | {found.train_rows}, {found.holdout_rows} "
            f"| {found.synthetic:.4f} | {real} | {excess} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000, help="most rows of each half")
    parser.add_argument("--epochs", type=float, help="limit of the fit")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    print(to_markdown(measure(rows=options.rows, epochs=options.epochs, seed=options.seed)))


if __name__ == "__main__":
    main()
