"""The door to an evaluation: given tables are checked, understood and put in a fixed order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from llmsynth.errors import LlmsynthError, SettingsError, TableError
from llmsynth.schema.inference import infer_schema
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.reading import read_table
from llmsynth_eval.canonical import Hashes, row_hashes, row_order
from llmsynth_eval.cells import has_numeric_type
from llmsynth_eval.coded_table import CodedTable, encode
from llmsynth_eval.headline import Topic
from llmsynth_eval.input_tables import (
    ColumnPlan,
    Table,
    as_frame,
    check_same_columns,
    check_target,
    plan_columns,
    with_numbers,
)
from llmsynth_eval.metric import Comparison
from llmsynth_eval.privacy.canaries import CanaryAudit
from llmsynth_eval.report import JudgedColumn
from llmsynth_eval.text.embedders import Embedder
from llmsynth_eval.utility.equivalence import DEFAULT_MARGIN, check_margin

ONE_TABLE = "synthetic"
ALL_TOPICS: tuple[Topic, ...] = ("fidelity", "utility", "privacy", "text")
SHARED_ROWS = 0.05
FEWEST_ROWS = 10
"""Fewer rows support no statement about a table, and intervals leave out blocks of them."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the caller asked beside the tables."""

    target: str | None = None
    schema: TableSchema | None = None
    numeric: tuple[str, ...] | None = None
    group: str | None = None
    quasi_identifiers: tuple[str, ...] = ()
    margin: float = DEFAULT_MARGIN
    rare_class: str | bool = False
    topics: tuple[Topic, ...] = ALL_TOPICS
    embedder: Embedder | None = None
    canaries: CanaryAudit | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_margin(self.margin)
        unknown = sorted(set(self.topics) - set(ALL_TOPICS))
        if unknown or not self.topics:
            raise SettingsError(
                f"Topics are {', '.join(ALL_TOPICS)}; got {', '.join(unknown) or 'none'}."
            )

    @property
    def named(self) -> dict[str, str]:
        """What was asked, for the report."""
        given = {
            "target": self.target or "",
            "rare class": "the rarest" if self.rare_class is True else self.rare_class or "",
            "group": self.group or "",
            "quasi-identifiers": ", ".join(self.quasi_identifiers),
            "numeric": ", ".join(sorted(self.numeric or ())),
            "embedder": self.embedder.name if self.embedder else "",
            "margin of utility": f"{self.margin:g}",
        }
        return {name: text for name, text in given.items() if text}


@dataclass(frozen=True, kw_only=True)
class Entered:
    """One synthetic table beside the real ones, ready to be measured."""

    comparison: Comparison
    train: pd.DataFrame
    """The given cells, columns by name, rows in the order of `comparison.train`."""
    synthetic: pd.DataFrame
    holdout: pd.DataFrame
    plan: ColumnPlan
    schema: TableSchema | None
    """As given or inferred; None where nothing could be inferred."""
    question: Question
    notes: tuple[str, ...]

    @property
    def frames(self) -> dict[str, pd.DataFrame]:
        """The given cells by role."""
        return {"train": self.train, "synthetic": self.synthetic, "holdout": self.holdout}

    def columns_of_kind(self, kind: str) -> tuple[str, ...]:
        """Columns that no figure of the table's columns covers, of one kind."""
        if self.schema is None:
            return ()
        return tuple(n for n in self.plan.left_out if self.schema.column(n).kind == kind)


@dataclass(frozen=True, kw_only=True)
class _Ordered:
    table: CodedTable
    frame: pd.DataFrame
    hashes: Hashes
    """Of the judged cells of each row, in the order given."""


class Entrance:
    """The real tables, checked once; every synthetic table enters beside them.

    Raises:
        TableError: an empty table, columns that differ, or a holdout equal to train.
        SchemaError: a column that the given schema does not describe.
        SettingsError: a named column that is not there.
    """

    def __init__(self, train: Table, holdout: Table, question: Question) -> None:
        self.train = _checked(train, role="train")
        self.holdout = _checked(holdout, role="holdout")
        check_same_columns({"train": self.train, "holdout": self.holdout})
        self._question = question
        self._check_named()
        self._schema, notes = _understood(self.train, question)
        self.train = with_numbers(self.train, self._schema)
        self.holdout = with_numbers(self.holdout, self._schema)
        self._plan = plan_columns(self.train, numeric=question.numeric, schema=self._schema)
        check_target(question.target, self._plan)
        self._notes = [*notes, *_real_notes(self.train, self.holdout, self._plan)]
        """What is to be said of the real tables, whatever stands beside them."""

    @property
    def columns(self) -> tuple[JudgedColumn, ...]:
        """Every column and its kind, by name."""
        return tuple(JudgedColumn(name=str(n), kind=self._kind(str(n))) for n in self.train.columns)

    def enter(self, synthetic: Table, *, name: str) -> Entered:
        """One synthetic table beside the real ones.

        Raises:
            TableError: it is empty, its columns differ, or a cell does not fit.
        """
        role = "synthetic" if name == ONE_TABLE else f"synthetic {name!r}"
        frame = with_numbers(_checked(synthetic, role=role), self._schema)
        frames = {"train": self.train, role: frame, "holdout": self.holdout}
        check_same_columns(frames)
        train, ours, holdout = (
            self._ordered(table, frames[key]) for key, table in encode(frames, self._plan).items()
        )
        question = self._question
        return Entered(
            comparison=Comparison(
                train=train.table,
                synthetic=ours.table,
                holdout=holdout.table,
                target=question.target,
                seed=question.seed,
            ),
            train=train.frame,
            synthetic=ours.frame,
            holdout=holdout.frame,
            plan=self._plan,
            schema=self._schema,
            question=question,
            notes=(
                *self._notes,
                *_shared_notes(train.hashes, holdout.hashes),
                *_type_notes(self.train, frame, self._plan, role=role),
            ),
        )

    def _ordered(self, table: CodedTable, frame: pd.DataFrame) -> _Ordered:
        hashes = row_hashes(table)
        others = frame[list(self._plan.left_out)]
        order = row_order(row_hashes(table, others) if len(others.columns) else hashes)
        return _Ordered(
            table=table.take(order),
            frame=frame.iloc[order].reset_index(drop=True),
            hashes=hashes,
        )

    def _check_named(self) -> None:
        known = [str(name) for name in self.train.columns]
        given = {
            "group": [self._question.group] if self._question.group is not None else [],
            "quasi_identifiers": list(self._question.quasi_identifiers),
        }
        for setting, names in given.items():
            unknown = [name for name in names if name not in known]
            if unknown:
                raise SettingsError(
                    f"`{setting}` names {unknown[0]!r}, which is not a column; there are "
                    f"{', '.join(map(repr, known))}."
                )

    def _kind(self, name: str) -> str:
        if name in self._plan.numeric and name not in self._plan.date_formats:
            return "number"
        if self._schema is not None:
            kind = self._schema.column(name).kind
            return "category" if kind == "number" else kind
        return "date" if name in self._plan.date_formats else "category"


def _checked(table: Table, *, role: str) -> pd.DataFrame:
    frame = as_frame(table, role=role)
    if len(frame) < FEWEST_ROWS:
        raise TableError(
            f"The {role} table has {len(frame)} rows, and an evaluation needs at least "
            f"{FEWEST_ROWS}."
        )
    return frame[sorted(frame.columns)]


def _understood(
    train: pd.DataFrame, question: Question
) -> tuple[TableSchema | None, tuple[str, ...]]:
    if question.schema is not None:
        return question.schema, ()
    target = question.target if question.target in train.columns else None
    try:
        return infer_schema(read_table(train), target=target), ()
    except (LlmsynthError, pa.ArrowException) as error:
        return None, (
            f"The kinds of columns could not be inferred ({error}); they were told from the "
            "types of the train table alone.",
        )


def _real_notes(train: pd.DataFrame, holdout: pd.DataFrame, plan: ColumnPlan) -> list[str]:
    notes = []
    if plan.left_out:
        notes.append(
            f"Identifiers and free texts, which no figure of the table's columns covers: "
            f"{', '.join(plan.left_out)}."
        )
    notes += [f"Column {n} has no value in train." for n in plan.names if train[n].isna().all()]
    return [*notes, *_type_notes(train, holdout, plan, role="holdout")]


def _shared_notes(train: Hashes, holdout: Hashes) -> list[str]:
    if len(train) == len(holdout) and np.array_equal(np.sort(train), np.sort(holdout)):
        raise TableError(
            "The holdout holds the same rows as train, so nothing real is left to compare with.",
            hint="Give rows of the same source that the synthesizer never saw.",
        )
    shared = float(np.isin(holdout, train).mean())
    if shared <= SHARED_ROWS:
        return []
    return [
        f"{100 * shared:.0f}% of the holdout rows are equal to a train row. If they are the same "
        "records, the holdout is no fair comparison."
    ]


def _type_notes(
    train: pd.DataFrame, other: pd.DataFrame, plan: ColumnPlan, *, role: str
) -> list[str]:
    return [
        f"Column {name} is {train[name].dtype} in train and {other[name].dtype} in {role}; its "
        f"cells were read as {'numbers' if name in plan.numeric else 'categories'}."
        for name in plan.names
        if _differ(train[name], other[name])
    ]


def _differ(first: pd.Series, second: pd.Series) -> bool:
    empty = first.isna().all() or second.isna().all()
    return not empty and has_numeric_type(first) != has_numeric_type(second)
