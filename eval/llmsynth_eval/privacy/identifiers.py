"""Identifier replay: do identifiers of train rows come out again, though nobody can guess them?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from llmsynth.errors import TableError
from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedColumn, CodedTable, Codes
from llmsynth_eval.details import DetailTable
from llmsynth_eval.figure import Figure, Goal
from llmsynth_eval.headline import Headline
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.privacy.copy_test import LEVEL
from llmsynth_eval.privacy.excess import Excess
from llmsynth_eval.privacy.twins import num_changed

QUESTION = "Are identifiers of the training table replayed?"
DISTINCT_SHARE = 0.99
MIN_ROWS = 100
ROLES = ("train", "synthetic", "holdout")


@dataclass(frozen=True, kw_only=True)
class IdentifierColumn:
    """The raw cells of one identifier column, rows in the order of the judged tables."""

    train: NDArray[np.object_]
    synthetic: NDArray[np.object_]
    holdout: NDArray[np.object_]


def identifier_columns(
    frames: Mapping[str, pd.DataFrame], names: tuple[str, ...]
) -> dict[str, IdentifierColumn]:
    """Raw identifier columns of frames called `train`, `synthetic` and `holdout`.

    Cells are compared as texts, so that a number read as 7 here and as "7" there is the same.
    """
    return {
        name: IdentifierColumn(**{role: _texts(frames[role][name]) for role in ROLES})
        for name in names
    }


@dataclass(frozen=True, kw_only=True)
class Identifiers:
    """Share of train rows whose identifier occurs in the synthetic table, less the holdout's.

    Judged are the given raw columns (the schema's identifiers, which no other figure looks at)
    and those judged columns of text or whole numbers in which 99% of the train rows differ.
    Only identifiers that name one row of train and holdout together count, and only where the
    synthetic row is not otherwise a copy of the row it names: that is for the copy tests.
    """

    name: ClassVar[str] = "identifier_replay"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    columns: Mapping[str, IdentifierColumn] = field(default_factory=dict)
    """Raw identifier columns by name, rows in the order of the comparison."""
    level: float = LEVEL
    """Level of the headline `identifiers`, shared by all columns."""

    def compute(self, comparison: Comparison) -> Measurement:
        for name, column in self.columns.items():
            _check_rows(comparison, name, column)
        columns = {**_unique_columns(comparison), **self.columns}
        if not columns:
            words = "No column is declared an identifier or differs from row to row."
            return Measurement(headlines=(_unmeasured(words),))
        found = {name: _replay(comparison, name, columns[name]) for name in sorted(columns)}
        worst = min(found, key=lambda name: (found[name].p_value, name))
        p_value = min(1.0, len(found) * found[worst].p_value)
        return Measurement(
            figures=tuple(
                _figure(name, look, only=len(found) == 1) for name, look in found.items()
            ),
            tables=(_table(found),),
            headlines=(_headline(worst, found[worst], p_value, self.level),),
        )


def _replay(comparison: Comparison, name: str, column: IdentifierColumn) -> Excess:
    pool = pd.Index(np.concatenate([column.train, column.holdout]))
    single = ~pool.duplicated(keep=False) & pool.notna()
    named = pool[single].get_indexer(pd.Index(column.synthetic))
    rows = np.flatnonzero(named >= 0)
    owners = np.flatnonzero(single)[named[rows]]
    fresh = ~_is_copy(comparison, owners, rows, name)
    hits = np.zeros(len(pool), dtype=bool)
    hits[owners[fresh]] = True
    size = comparison.train.num_rows
    return Excess(
        train_hits=int(hits[:size].sum()),
        train_rows=size,
        holdout_hits=int(hits[size:].sum()),
        holdout_rows=len(pool) - size,
    )


def _check_rows(comparison: Comparison, name: str, column: IdentifierColumn) -> None:
    for role in ROLES:
        expected, got = getattr(comparison, role).num_rows, len(getattr(column, role))
        if expected != got:
            raise TableError(
                f"The identifier column {name!r} should have a cell for each of the "
                f"{expected:,} rows of the {role} table, got {got:,}.",
                hint="Take the identifiers from the tables that are judged, in their order.",
            )


def _is_copy(
    comparison: Comparison, owners: Codes, rows: Codes, identifier: str
) -> NDArray[np.bool_]:
    """Whether each synthetic row differs from the real row it names in too few cells."""
    judged = [n for n, c in enumerate(comparison.train.columns) if c.name != identifier]
    size = comparison.train.num_rows
    in_train = owners < size
    real = np.empty((len(owners), len(judged)))
    real[in_train] = comparison.train.cells[owners[in_train]][:, judged]
    real[~in_train] = comparison.holdout.cells[owners[~in_train] - size][:, judged]
    made = comparison.synthetic.cells[rows][:, judged]
    differs = (real != made) & ~(np.isnan(real) & np.isnan(made))
    copied: NDArray[np.bool_] = differs.sum(axis=1) <= num_changed(len(judged))
    return copied & bool(judged)


def _unique_columns(comparison: Comparison) -> dict[str, IdentifierColumn]:
    """Judged columns that look like identifiers, in the judged row order."""
    train = comparison.train
    return {
        column.name: IdentifierColumn(
            **{role: _cells(getattr(comparison, role), number) for role in ROLES}
        )
        for number, column in enumerate(train.columns)
        if _looks_unique(column, train.cells[:, number])
    }


def _looks_unique(column: CodedColumn, cells: Floats) -> bool:
    present = cells[~np.isnan(cells)]
    if len(present) < MIN_ROWS or (column.is_numeric and np.any(present != np.floor(present))):
        return False
    return column.date_format is None and len(np.unique(present)) > DISTINCT_SHARE * len(cells)


def _cells(table: CodedTable, number: int) -> NDArray[np.object_]:
    cells = table.cells[:, number]
    missing = np.isnan(cells)
    levels = table.columns[number].levels
    if None in levels:
        missing |= cells == levels.index(None)
    out: NDArray[np.object_] = cells.astype(object)
    out[missing] = None
    return out


def _texts(cells: pd.Series) -> NDArray[np.object_]:
    whole = pd.api.types.is_float_dtype(cells.dtype) and (cells.dropna() % 1 == 0).all()
    typed = cells.astype("Int64") if whole else cells
    out: NDArray[np.object_] = typed.astype(object).where(typed.notna(), None).to_numpy(object)
    return np.array([None if v is None else str(v) for v in out], dtype=object)


def _figure(name: str, look: Excess, *, only: bool) -> Figure:
    return Figure(
        name="identifier_replay" if only else f"identifier_replay[{name}]",
        title=f"Replayed identifiers ({name})",
        value=look.value,
        interval=look.interval,
        floor=0.0,
        goal="lower",
        meaning="Share of train rows whose identifier occurs in the synthetic table on another "
        "row, less that of unseen rows; 0 is none.",
    )


def _table(found: Mapping[str, Excess]) -> DetailTable:
    worst_first = sorted(found, key=lambda name: (-found[name].value, name))
    rows = tuple(
        (n, found[n].train_hits, found[n].holdout_hits, found[n].value, found[n].p_value)
        for n in worst_first
    )
    return DetailTable(
        name="identifier_replay",
        title="Identifiers that came out again",
        columns=("column", "of train", "of holdout", "excess", "p-value"),
        rows=rows,
        meaning="Identifiers that name one real row and occur in the synthetic table. Guessed "
        "identifiers hit train and holdout alike; replayed ones hit train.",
    )


def _headline(name: str, look: Excess, p_value: float, level: float) -> Headline:
    alarm = p_value < level
    return Headline(
        name="identifiers",
        topic="privacy",
        question=QUESTION,
        answer="alarm" if alarm else "good",
        words=f"Column {name}: identifiers of {look.train_hits:,} of {look.train_rows:,} train "
        f"rows occur in the synthetic table, of {look.holdout_hits:,} of {look.holdout_rows:,} "
        f"unseen rows: {'more than chance explains' if alarm else 'no more than chance explains'}.",
        p_value=p_value,
        level=level,
        effect=look.value,
    )


def _unmeasured(words: str) -> Headline:
    return Headline(
        name="identifiers", topic="privacy", question=QUESTION, answer="not measured", words=words
    )
