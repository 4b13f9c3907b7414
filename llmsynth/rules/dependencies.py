"""Rules between levels: one column fixes another, one of several is 1, a value brings another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import numpy.typing as npt

from llmsynth.rules.column_views import ColumnView
from llmsynth.schema.columns import DateColumn, DatetimeColumn, NumberColumn
from llmsynth.schema.constraints import (
    ConstantWhen,
    Constraint,
    FixedCombinations,
    Lookup,
    MissingExactlyWhen,
)

_LOG_CHANCE = np.log(1e-9)
"""A rule that chance would show more often than this is none."""
_FEWEST_REPEATS = 4
"""Rows a value of the fixing column has on average."""
_MOST_KEYS = 5_000
_MOST_COMBINATIONS = 2_000
_SAMPLE = 2_000
_NEARLY, _NEARLY_OF_CHANCE = 0.005, 0.02
"""Most rows that break a rule which nearly holds: of all, and of those chance would have."""
_FEWEST_TWINS = 10
"""Rows that two values which only come together have at least."""
_FEWEST_BOUND = 20
_LEAST_BOUND_SHARE = 0.02
"""Rows of a value that brings another one, at least, and their share of the table."""
_LEAST_END_SHARE = 0.05
"""Share of the rows from which an end of a column's numbers (or zero) is a level of its own."""
_MOST_EVENTS = 600
_MOST_SHARE = 0.9
"""A value this common is what many rows have anyway, not what another value brings."""


def fixing_columns(views: Sequence[ColumnView]) -> list[Constraint]:
    """Columns whose value fixes another's in every row, one such column for each.

    Of several that fix a column the one of fewest values is taken: a town fixes its state, and the
    state, not the town, the country.
    """
    found: dict[str, ColumnView] = {}
    for key, fixed in permutations(views, 2):
        if not _may_fix(key, fixed) or not _fixes(key, fixed):
            continue
        known = found.get(fixed.name)
        if known is None or (key.num_values, key.name) < (known.num_values, known.name):
            found[fixed.name] = key
    by_name = {view.name: view for view in views}
    out: list[Constraint] = []
    done: set[frozenset[str]] = set()
    for name, key in found.items():
        pair = frozenset((name, key.name))
        if pair not in done:
            done.add(pair)
            out.append(_fixed(key, by_name[name]))
    return out


def _may_fix(key: ColumnView, fixed: ColumnView) -> bool:
    rows = len(key.codes)
    is_key = key.has_levels or isinstance(key.column, DateColumn | DatetimeColumn)
    return (
        is_key
        and 2 <= fixed.num_values <= key.num_values <= min(_MOST_KEYS, rows // _FEWEST_REPEATS)
        # A column of one level and gaps tells only where the gaps are.
        and key.num_values - (None in key.texts) >= 2
    )


def _fixes(key: ColumnView, fixed: ColumnView) -> bool:
    for rows in (slice(_SAMPLE), slice(None)):
        joint = key.codes[rows] * fixed.num_values + fixed.codes[rows]
        if len(np.unique(joint)) > len(np.unique(key.codes[rows])):
            return False
    shares = fixed.counts / fixed.counts.sum()
    sizes, times = np.unique(key.counts[key.counts > 0], return_counts=True)
    pure = np.log(np.maximum([(shares**size).sum() for size in sizes], 1e-300))
    return bool((pure * times).sum() < _LOG_CHANCE)


def nearly_fixing_columns(views: Sequence[ColumnView]) -> Iterator[tuple[Constraint, int]]:
    """Columns of levels whose value fixes another's in nearly every row, and the other rows."""
    for key, fixed in permutations([view for view in views if view.has_levels], 2):
        if not _may_fix(key, fixed):
            continue
        joint = key.codes * fixed.num_values + fixed.codes
        pairs, counts = np.unique(joint, return_counts=True)
        largest = np.zeros(key.num_values, dtype=np.int64)
        np.maximum.at(largest, pairs // fixed.num_values, counts)
        rows = len(joint)
        exceptions = rows - int(largest.sum())
        by_chance = rows - int(fixed.counts.max())
        if 0 < exceptions <= min(_NEARLY * rows, _NEARLY_OF_CHANCE * by_chance):
            yield FixedCombinations(columns=(key.name, fixed.name)), exceptions


def _fixed(key: ColumnView, fixed: ColumnView) -> Constraint:
    """The rule as masks where both columns are of levels, as a table of values elsewhere."""
    if key.has_levels and fixed.has_levels and key.num_values <= _MOST_COMBINATIONS:
        return FixedCombinations(columns=(key.name, fixed.name))
    return Lookup(key=key.name, column=fixed.name)


def one_of_several(views: Sequence[ColumnView]) -> list[Constraint]:
    """Groups of three or more columns of 0 and 1 of which exactly one is 1 in every row."""
    binary = [v for v in views if v.numbers is not None and set(v.texts) == {"0", "1"}]
    out: list[Constraint] = []
    free = list(binary)
    while len(free) > 2:
        first = free.pop(0)
        assert first.numbers is not None
        group, total = [first], first.numbers.copy()
        for other in free:
            assert other.numbers is not None
            if (total + other.numbers).max() <= 1:
                group.append(other)
                total = total + other.numbers
        if len(group) > 2 and total.min() == 1:
            out.append(FixedCombinations(columns=tuple(view.name for view in group)))
            free = [view for view in free if view not in group]
    return out


@dataclass(frozen=True)
class _Event:
    view: ColumnView
    code: int

    @property
    def text(self) -> str | None:
        return self.view.texts[self.code]


def bound_values(
    views: Sequence[ColumnView], known: Sequence[Constraint], *, exceptions: float = 0.0
) -> Iterator[Constraint]:
    """Values that go with another column's value in every row that has it.

    Values that come in the very same rows are told once, beside the first of them.

    Args:
        known: rules that say so already.
        exceptions: the share of a value's rows that may break its rule; 0 for exact rules, above
            0 for rules that some row does break.
    """
    events = _events(views)
    if len(events) < 2:
        return
    # Counted in float32: exact up to 2^24 rows.
    held = np.stack([event.view.codes == event.code for event in events], axis=1)
    both = held.T.astype(np.float32) @ held.astype(np.float32)
    size, rows = np.diag(both).copy(), len(held)
    tied = _tied(known)
    share = np.clip(size / rows, 1e-12, 1)
    lacking = size[:, None] - both
    implies = lacking <= exceptions * size[:, None] if exceptions else lacking == 0
    if exceptions:
        implies &= lacking > 0
    implies &= size[:, None] * np.log(share)[None, :] < _LOG_CHANCE
    implies &= (share <= _MOST_SHARE)[None, :]
    is_large = (size >= _FEWEST_BOUND) & (share >= _LEAST_BOUND_SHARE)
    implies &= is_large[:, None] | implies.T
    twin_of = _twins(implies)
    for at, event in enumerate(events):
        for other in np.flatnonzero(implies[at]):
            brought = events[other]
            names = frozenset((event.view.name, brought.view.name))
            if len(names) < 2 or names in tied:
                continue
            if not _is_told_once(at, int(other), twin_of):
                continue
            if twin_of[at] == twin_of[other] and (rule := _gaps_rule(event, brought)) is not None:
                if at < other:
                    yield rule
                continue
            yield ConstantWhen(
                column=brought.view.name,
                value=brought.text,
                when=event.view.name,
                equals=event.text,
            )


def _tied(known: Sequence[Constraint]) -> set[frozenset[str]]:
    """Pairs of columns of which one fixes the other, through any number of others."""
    house: dict[str, set[str]] = {}
    for rule in known:
        if isinstance(rule, FixedCombinations | Lookup):
            joined = set(rule.columns).union(*(house.get(name, ()) for name in rule.columns))
            house |= dict.fromkeys(joined, joined)
    return {frozenset(pair) for names in house.values() for pair in permutations(names, 2)}


def _events(views: Sequence[ColumnView]) -> list[_Event]:
    events = []
    for view in views:
        rows = len(view.codes)
        for code, count in enumerate(view.counts.tolist()):
            if _is_level(view, code) and _FEWEST_TWINS <= count <= rows - _FEWEST_TWINS:
                events.append(_Event(view, code))
    return events if len(events) <= _MOST_EVENTS else []


def _is_level(view: ColumnView, code: int) -> bool:
    """Whether a value is one that rules speak of: a level, a gap, a common end of the numbers."""
    if view.texts[code] is None or not isinstance(view.column, NumberColumn):
        return view.has_levels or view.texts[code] is None
    if view.counts[code] < _LEAST_END_SHARE * view.counts.sum() or view.numbers is None:
        return False
    number = view.numbers[int(np.argmax(view.codes == code))]
    return bool(number in (0.0, np.nanmin(view.numbers), np.nanmax(view.numbers)))


def _twins(implies: npt.NDArray[np.bool_]) -> list[int]:
    """For each event the first one that comes in the very same rows; itself where none does."""
    mutual = implies & implies.T
    return [
        min(at, int(np.argmax(mutual[at]))) if mutual[at].any() else at for at in range(len(mutual))
    ]


def _is_told_once(at: int, other: int, twin_of: Sequence[int]) -> bool:
    """Whether the pair is a twin beside its first, or both are the first of theirs."""
    if twin_of[at] == twin_of[other]:
        return twin_of[at] in (at, other)
    return twin_of[at] == at and twin_of[other] == other


def _gaps_rule(one: _Event, other: _Event) -> Constraint | None:
    """`MissingExactlyWhen` for two events in the same rows of which one is a gap."""
    if one.text is None:
        return MissingExactlyWhen(column=one.view.name, when=other.view.name, equals=other.text)
    if other.text is None:
        return MissingExactlyWhen(column=other.view.name, when=one.view.name, equals=one.text)
    return None
