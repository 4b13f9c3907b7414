"""Looks through a typed table for rules that all of its rows keep, and that nearly all keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from llmsynth.rules.arithmetic import formulas, orders, sums
from llmsynth.rules.column_views import ColumnView, views_of
from llmsynth.rules.dependencies import (
    bound_values,
    fixing_columns,
    nearly_fixing_columns,
    one_of_several,
)
from llmsynth.schema.constraints import Constraint, FixedCombinations, Lookup, in_words
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.broken_rows import distinct_rows, violations
from llmsynth.tables.computed_cells import numbers_of

FEWEST_ROWS = 50
"""Fewer rows keep many rules by chance."""
MOST_COLUMNS = 200
"""More columns have too many pairs to look through."""
_SEARCHED_ROWS = 50_000
_NEAR = 0.01
_MOST_PROPOSALS = 30
_MOST_VALUE_RULES = 100


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A rule that a few rows break: for a person to declare, or for the rows to be corrected."""

    constraint: Constraint
    exceptions: int

    @property
    def words(self) -> str:
        return f"{in_words(self.constraint)}, but for {self.exceptions:,} rows"


@dataclass(frozen=True, kw_only=True)
class Discovery:
    """What was found.

    exact: rules without an exception.
    near: rules with few exceptions; they are not kept unless they are declared.
    skipped: why nothing was looked for; empty where the table was looked through.
    """

    exact: tuple[Constraint, ...] = ()
    near: tuple[Proposal, ...] = ()
    skipped: str = ""


def discover_rules(table: pa.Table, schema: TableSchema) -> Discovery:
    """Find the rules of a table whose cells have the types of its schema.

    Of a large table 50,000 rows, evenly spread, are searched; every rule is then checked on all.

    Example:
        >>> import pyarrow as pa
        >>> from llmsynth import infer_schema
        >>> rows = pa.table({"a": range(99), "b": [7 * n % 31 for n in range(99)]})
        >>> rows = rows.append_column("c", pa.array([n + 7 * n % 31 for n in range(99)]))
        >>> [in_words(rule) for rule in discover_rules(rows, infer_schema(rows)).exact]
        ['a + b = c']
    """
    if table.num_rows < FEWEST_ROWS:
        return Discovery(skipped=f"fewer than {FEWEST_ROWS} rows keep many rules by chance")
    if table.num_columns > MOST_COLUMNS:
        return Discovery(skipped=f"more than {MOST_COLUMNS} columns have too many pairs")
    searched = table
    if table.num_rows > _SEARCHED_ROWS:
        at = np.linspace(0, table.num_rows - 1, _SEARCHED_ROWS).astype(np.int64)
        searched = table.take(pa.array(at))
    views = views_of(searched, schema)
    found = {rule: _exceptions(table, rule) for rule in _exact(searched, views)}
    exact = [rule for rule, broken in found.items() if not broken]
    near = {rule: broken for rule, broken in found.items() if broken}
    near |= dict(nearly_fixing_columns(views))
    proposed = bound_values(views, [*exact, *near], exceptions=_NEAR)
    near |= {rule: _exceptions(table, rule) for rule in proposed}
    proposals = [Proposal(constraint=rule, exceptions=near[rule]) for rule in near]
    proposals.sort(key=lambda proposal: proposal.exceptions)
    return Discovery(exact=tuple(exact), near=tuple(proposals[:_MOST_PROPOSALS]))


def _exceptions(table: pa.Table, rule: Constraint) -> int:
    """Rows that break the rule; of one that is filled in from the table, rows beyond one a key."""
    if isinstance(rule, Lookup) or (isinstance(rule, FixedCombinations) and len(rule.columns) == 2):
        pairs, _ = distinct_rows(table, rule.columns)
        return len(pairs) - len({pair[0] for pair in pairs})
    if isinstance(rule, FixedCombinations):
        totals = np.sum([numbers_of(table, name) for name in rule.columns], axis=0)
        return int((totals != 1).sum())
    return int(violations(table, rule).sum())


def _exact(table: pa.Table, views: Sequence[ColumnView]) -> list[Constraint]:
    added = sums(views)
    computed = formulas(table, [v for v in views if v.name not in {rule.total for rule in added}])
    told = {rule.column for rule in computed}
    groups = one_of_several(views)
    grouped = {name for rule in groups for name in rule.columns}
    levels = [view for view in views if view.name not in told | grouped]
    fixing = fixing_columns(levels)
    rules: list[Constraint] = [*added, *computed, *groups, *fixing]
    rules += list(bound_values(levels, rules))[:_MOST_VALUE_RULES]
    return [*rules, *orders(views, [*added, *computed])]
