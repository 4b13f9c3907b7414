"""Which categories and value ranges of train are absent from the synthetic table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedTable, Codes
from llmsynth_eval.fidelity.many_tests import LEVEL, Difference, alarmed
from llmsynth_eval.metric import Comparison

COVERAGE_MARGIN = 0.001
SHOWN_ROWS = 20


@dataclass(frozen=True, kw_only=True)
class Loss:
    """Train rows of one kind that have no counterpart among the synthetic rows."""

    column: str
    what: str
    """`level` or `below` or `above` (numbers outside the synthetic range)."""
    level: str | None
    num_rows: int
    test: Difference


def losses(comparison: Comparison) -> list[Loss]:
    """Every level and both ends of every range of train that the synthetic table lacks.

    Were synthetic rows fresh real ones, all k rows with a level (or beyond an end) would be
    train's with probability C(n1, k) / C(n1 + n2, k): the hypergeometric law, conditional on k.
    """
    out = []
    sizes = comparison.train.num_rows, comparison.synthetic.num_rows
    for number, column in enumerate(comparison.train.columns):
        ours = comparison.train.cells[:, number]
        theirs = comparison.synthetic.cells[:, number]
        found = _ends(ours, theirs) if column.is_numeric else _levels(ours, theirs, column.levels)
        for what, level, count in found:
            test = Difference(
                about=_about(column.name, what, level, count),
                p_value=float(absence_p_values(np.array(count), *sizes)),
                effect=count / sizes[0],
                margin=COVERAGE_MARGIN,
            )
            out.append(Loss(column=column.name, what=what, level=level, num_rows=count, test=test))
    return sorted(out, key=lambda loss: (loss.test.p_value, loss.test.about))


def num_testable(comparison: Comparison) -> int:
    """How many levels and ends hold enough rows that their absence could be certain.

    Source: Tarone (1990), Biometrics 46, 515-522: a test whose smallest possible p-value
    exceeds the corrected level need not be corrected for.
    """
    sizes = comparison.train.num_rows, comparison.synthetic.num_rows
    smallest: list[float] = []
    for number, column in enumerate(comparison.train.columns):
        if column.is_numeric:
            smallest += [0.0, 0.0]
            continue
        both = sum(
            np.bincount(t.cells[:, number].astype(np.int64), minlength=len(column.levels))
            for t in (comparison.train, comparison.synthetic)
        )
        smallest += absence_p_values(np.asarray(both), *sizes).tolist()
    ordered = np.sort(smallest)
    k = 1
    while np.searchsorted(ordered, LEVEL / k, side="right") > k:
        k += 1
    return k


def absence_p_values(counts: Codes, num_first: int, num_second: int) -> Floats:
    """Probability that none of so many rows, drawn from both tables, is of the second."""
    both = num_first + num_second
    held = np.minimum(counts, num_first)
    logs = special.gammaln(num_first + 1) - special.gammaln(num_first - held + 1)
    logs -= special.gammaln(both + 1) - special.gammaln(both - held + 1)
    probabilities: Floats = np.where(counts > num_first, 0.0, np.exp(np.minimum(logs, 0.0)))
    return probabilities


def lost_share(comparison: Comparison) -> float:
    """Share of train rows that hold a level or value whose absence is an alarm."""
    found = losses(comparison)
    certain = {
        t.about for t in alarmed([f.test for f in found], num_tests=num_testable(comparison))
    }
    gone = np.zeros(comparison.train.num_rows, dtype=np.bool_)
    for loss in found:
        if loss.test.about in certain:
            gone |= _rows_of(loss, comparison.train, comparison.synthetic)
    return float(gone.mean())


def _rows_of(loss: Loss, train: CodedTable, synthetic: CodedTable) -> NDArray[np.bool_]:
    number = train.index(loss.column)
    ours = train.cells[:, number]
    if loss.what == "level":
        rows: NDArray[np.bool_] = ours == train.columns[number].levels.index(loss.level)
        return rows
    theirs = synthetic.cells[:, number]
    return ours < np.nanmin(theirs) if loss.what == "below" else ours > np.nanmax(theirs)


def _about(column: str, what: str, level: str | None, count: int) -> str:
    if what != "level":
        return f"{column} {what} the synthetic range"
    if count < SHOWN_ROWS:  # a value that few people have is not for a report
        return f"{column}: a level of {count} rows"
    return f"{column}: {level}"


def _levels(
    ours: Floats, theirs: Floats, levels: tuple[str | None, ...]
) -> list[tuple[str, str | None, int]]:
    counts = [np.bincount(c.astype(np.int64), minlength=len(levels)) for c in (ours, theirs)]
    return [
        ("level", levels[code], int(counts[0][code]))
        for code in np.flatnonzero((counts[0] > 0) & (counts[1] == 0))
        if levels[code] is not None
    ]


def _ends(ours: Floats, theirs: Floats) -> list[tuple[str, str | None, int]]:
    if np.isnan(ours).all() or np.isnan(theirs).all():
        return []
    below, above = int((ours < np.nanmin(theirs)).sum()), int((ours > np.nanmax(theirs)).sum())
    return [(what, None, n) for what, n in (("below", below), ("above", above)) if n]
