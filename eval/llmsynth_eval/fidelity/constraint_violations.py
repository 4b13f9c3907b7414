"""Are declared constraints broken more often than in real rows?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy import stats

from llmsynth.schema.constraints import Constraint, FixedCombinations, Lookup, in_words
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.broken_rows import distinct_rows, spelled, violations
from llmsynth.tables.conforming import conform
from llmsynth_eval.details import DetailTable
from llmsynth_eval.fidelity.many_tests import Comparisons, Difference, answered
from llmsynth_eval.figure import Figure, Goal
from llmsynth_eval.input_tables import Table
from llmsynth_eval.intervals import wilson
from llmsynth_eval.metric import Comparison, Measurement

CONSTRAINTS = Comparisons(
    name="constraints",
    question="Do rows keep the declared constraints as real rows do?",
    subject="constraint",
    subjects="constraints",
    unit="share of rows that break it beyond the real share",
)

Broken = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class ConstraintViolations:
    """Share of rows that break at least one constraint of a schema.

    A `FixedCombinations` that lists none allows what train holds. Its violations are then
    compared with the holdout's, every other constraint's with train's.

    The headline `constraints` tests each constraint with Fisher's exact test, one-sided.

    Raises:
        TableError: a table does not have the schema's columns, or a cell is of another kind.
        SchemaError: a text of a constraint is no cell of its column.
    """

    schema: TableSchema
    train: Table
    synthetic: Table
    holdout: Table

    name: ClassVar[str] = "constraint_violations"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison) -> Measurement:
        given = {"train": self.train, "synthetic": self.synthetic, "holdout": self.holdout}
        if not self.schema.constraints:
            return Measurement(headlines=(answered([], CONSTRAINTS),))
        tables = {role: conform(_arrow(table), self.schema) for role, table in given.items()}
        rules = [_ready(self.schema, rule, tables["train"]) for rule in self.schema.constraints]
        broken = {
            role: np.stack([violations(table, rule) for rule in rules])
            for role, table in tables.items()
        }
        tests = [
            _difference(
                in_words(rule), broken[_reference(rule)][number], broken["synthetic"][number]
            )
            for number, rule in enumerate(self.schema.constraints)
        ]
        return Measurement(
            figures=(_figure(broken, with_floor=comparison.with_floor),),
            tables=(_table(self.schema.constraints, broken, tests),),
            headlines=(answered(tests, CONSTRAINTS),),
        )


def _arrow(table: Table) -> pa.Table:
    if isinstance(table, pd.DataFrame):
        return pa.Table.from_pandas(table, preserve_index=False)
    return table


def _ready(schema: TableSchema, constraint: Constraint, train: pa.Table) -> Constraint:
    if isinstance(constraint, FixedCombinations) and not constraint.combinations:
        held, _ = distinct_rows(train, constraint.columns)
        return replace(constraint, combinations=tuple(held))
    if isinstance(constraint, Lookup) and not constraint.entries:
        held, _ = distinct_rows(train, constraint.columns)
        return replace(constraint, entries=tuple((row[0], row[1]) for row in held))
    return spelled(schema, constraint)


def _reference(constraint: Constraint) -> str:
    is_learned = (isinstance(constraint, FixedCombinations) and not constraint.combinations) or (
        isinstance(constraint, Lookup) and not constraint.entries
    )
    return "holdout" if is_learned else "train"


def _difference(about: str, real: Broken, ours: Broken) -> Difference:
    law = stats.hypergeom(len(real) + len(ours), int(real.sum() + ours.sum()), len(ours))
    return Difference(
        about=about,
        p_value=float(law.sf(int(ours.sum()) - 1)),
        effect=float(ours.mean() - real.mean()),
        margin=0.0,
    )


def _figure(broken: Mapping[str, Broken], *, with_floor: bool) -> Figure:
    rows = {role: np.asarray(cells.any(axis=0)) for role, cells in broken.items()}
    ours, floor = rows["synthetic"], rows["holdout"]
    return Figure(
        name="constraint_violations",
        title="Rows that break a constraint",
        value=float(ours.mean()),
        interval=wilson(int(ours.sum()), len(ours)),
        floor=float(floor.mean()) if with_floor else None,
        floor_interval=wilson(int(floor.sum()), len(floor)) if with_floor else None,
        goal="lower",
        meaning="Share of rows that break at least one declared constraint.",
    )


def _table(
    constraints: tuple[Constraint, ...], broken: Mapping[str, Broken], tests: list[Difference]
) -> DetailTable:
    order = sorted(range(len(tests)), key=lambda n: (tests[n].p_value, tests[n].about))
    return DetailTable(
        name="constraint_violations",
        title="How often declared constraints are broken",
        columns=("constraint", "kind", "train", "synthetic", "from", "to", "holdout", "p-value"),
        rows=tuple(
            (
                tests[n].about,
                constraints[n].kind,
                float(broken["train"][n].mean()),
                float(broken["synthetic"][n].mean()),
                *wilson(int(broken["synthetic"][n].sum()), len(broken["synthetic"][n])),
                float(broken["holdout"][n].mean()),
                tests[n].p_value,
            )
            for n in order
        ),
        meaning="Shares of rows; good is the real share, which is 0 for a rule without "
        "exceptions. Combinations that train lacks are broken by fresh real rows too.",
    )
