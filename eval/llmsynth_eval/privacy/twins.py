"""Near twins: for each row, the row of another table that agrees with it in all but few cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedTable, Codes
from llmsynth_eval.privacy.row_keys import Keys, cell_keys

NUM_GROUPS = 8
MOST_CHANGED = 2
MOST_CANDIDATES = 6


@dataclass(frozen=True, kw_only=True)
class Twins:
    """The most telling near twin of each row."""

    scores: Floats
    """Shape (rows,): summed surprise of the cells the two share, in nats; -inf without a twin."""
    found: Codes
    """Shape (rows,): position of the twin in the other table; -1 without one."""
    changed: Codes
    """Shape (rows,): cells in which the two differ."""


def num_changed(num_columns: int) -> int:
    """Cells in which a near twin may differ: two, fewer in narrow tables; 0 is too narrow."""
    return min(MOST_CHANGED, num_columns // 3)


@dataclass(frozen=True, kw_only=True)
class CellCodes:
    """Every column of several tables as whole numbers, with the surprise of each value."""

    tables: tuple[NDArray[np.int32], ...]
    """One array of shape (columns, rows) a table; equal numbers are equal cells."""
    keys: tuple[tuple[Keys, ...], ...]
    """For each table the summed cell keys of each column group."""
    surprise: tuple[Floats, ...]
    """For each column, -log of each value's share among the real rows, in nats."""


def code_cells(pool: CodedTable, other: CodedTable) -> CellCodes:
    """Codes of the pool's (real) and the other table's cells; only pool values get a surprise."""
    size = pool.num_rows
    coded = [np.empty((len(pool.columns), t.num_rows), dtype=np.int32) for t in (pool, other)]
    surprise, keys = [], []
    for number in range(len(pool.columns)):
        both = np.concatenate([cell_keys(pool, number), cell_keys(other, number)])
        _, codes = np.unique(both, return_inverse=True)
        coded[0][number], coded[1][number] = codes[:size], codes[size:]
        counts = np.bincount(codes[:size], minlength=int(codes.max()) + 1)
        surprise.append(-np.log(np.maximum(counts, 1) / size))
        keys.append(both)
    groups = _groups([float(s[c].mean()) for s, c in zip(surprise, coded[0], strict=True)])
    sums = [_sum([keys[n] for n in group]) for group in groups]
    return CellCodes(
        tables=(coded[0], coded[1]),
        keys=(tuple(s[:size] for s in sums), tuple(s[size:] for s in sums)),
        surprise=tuple(surprise),
    )


def nearest_twins(
    codes: CellCodes, first: int, second: int, *, open_first: Codes, open_second: Codes
) -> Twins:
    """The best twin in table `second` of each open row of table `first`.

    Rows that differ in c cells agree in all but c of the column groups: joining on the key of
    every such choice of groups finds each near twin without comparing all pairs. Keys that many
    rows share tell nobody apart and are passed over. A row is no twin of itself or of its equal.
    """
    ours, theirs = codes.tables[first], codes.tables[second]
    allowed = num_changed(len(ours))
    twins = Twins(
        scores=np.full(ours.shape[1], -np.inf),
        found=np.full(ours.shape[1], -1, dtype=np.int64),
        changed=np.zeros(ours.shape[1], dtype=np.int64),
    )
    for ours_key, theirs_key in _joint_keys(codes.keys[first], codes.keys[second], allowed):
        rows, partners = _join(ours_key[open_first], theirs_key[open_second])
        rows, partners = open_first[rows], open_second[partners]
        scores, changed = _compare(ours, theirs, rows, partners, codes.surprise)
        near = (changed > 0) & (changed <= allowed)
        _keep_best(twins, rows[near], partners[near], scores[near], changed[near])
    return twins


def _groups(information: list[float]) -> list[list[int]]:
    """Columns dealt to groups by falling information, so that no group holds all of it."""
    order = np.argsort(-np.asarray(information), kind="stable")
    size = min(NUM_GROUPS, len(order))
    return [[int(n) for n in order[start::size]] for start in range(size)]


def _joint_keys(
    first: tuple[Keys, ...], second: tuple[Keys, ...], allowed: int
) -> Iterator[tuple[Keys, Keys]]:
    whole = [_sum(keys) for keys in (first, second)]
    for left_out in combinations(range(len(first)), allowed):
        gone = [_sum([keys[n] for n in left_out]) for keys in (first, second)]
        yield whole[0] - gone[0], whole[1] - gone[1]


def _sum(keys: Sequence[Keys]) -> Keys:
    out: Keys = np.sum(keys, axis=0, dtype=np.uint64)
    return out


def _join(ours: Keys, theirs: Keys) -> tuple[Codes, Codes]:
    """Pairs of positions with equal keys, where a key has few rows on either side."""
    our_values, our_place, our_times = np.unique(ours, return_inverse=True, return_counts=True)
    order = np.argsort(theirs, kind="stable")
    ordered = theirs[order]
    left = np.searchsorted(ordered, our_values)
    times = np.searchsorted(ordered, our_values, side="right") - left
    few = (times > 0) & (times <= MOST_CANDIDATES) & (our_times <= MOST_CANDIDATES)
    rows = np.flatnonzero(few[our_place])
    values = our_place[rows]
    repeated = np.repeat(rows, times[values])
    ends = np.cumsum(times[values])
    within = np.arange(len(repeated)) - np.repeat(ends - times[values], times[values])
    partners: Codes = order[np.repeat(left[values], times[values]) + within]
    return repeated.astype(np.int64), partners.astype(np.int64)


def _compare(
    ours: NDArray[np.int32],
    theirs: NDArray[np.int32],
    rows: Codes,
    partners: Codes,
    surprise: tuple[Floats, ...],
) -> tuple[Floats, Codes]:
    scores = np.zeros(len(rows))
    changed = np.zeros(len(rows), dtype=np.int64)
    for number, weights in enumerate(surprise):
        cells = ours[number, rows]
        equal = cells == theirs[number, partners]
        scores += np.where(equal, weights[cells], 0.0)
        changed += ~equal
    return scores, changed


def _keep_best(twins: Twins, rows: Codes, partners: Codes, scores: Floats, changed: Codes) -> None:
    order = np.lexsort((partners, -scores, rows))
    rows, partners, changed = rows[order], partners[order], changed[order]
    scores = scores[order]
    best = np.concatenate([[True], rows[1:] != rows[:-1]]) if len(rows) else np.empty(0, bool)
    best &= scores > twins.scores[rows]
    twins.scores[rows[best]] = scores[best]
    twins.found[rows[best]] = partners[best]
    twins.changed[rows[best]] = changed[best]
