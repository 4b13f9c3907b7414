"""A table as one float matrix: numbers as they are, categories as codes shared by all tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from llmsynth_eval.cells import Floats, coded_texts, numbers
from llmsynth_eval.input_tables import ColumnPlan

Codes = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class CodedColumn:
    """What the cells of one matrix column stand for."""

    name: str
    is_numeric: bool
    levels: tuple[str | None, ...] = ()
    """Categories by code, most frequent in train first; None is the missing cell."""
    date_format: str | None = None
    """strftime format of a numeric column that holds days or moments, in seconds since 1970."""


@dataclass(frozen=True, kw_only=True)
class CodedTable:
    """Cells of shape (rows, columns), float64; NaN is a missing number, never a category."""

    columns: tuple[CodedColumn, ...]
    cells: Floats
    places: Codes | None = None
    """Place of each row in the table as it was given, from 0; None where rows were not moved."""

    @property
    def num_rows(self) -> int:
        return int(self.cells.shape[0])

    def index(self, name: str) -> int:
        """Position of a column."""
        return [column.name for column in self.columns].index(name)

    def take(self, rows: NDArray[np.bool_] | Codes) -> CodedTable:
        """The table's chosen rows."""
        places = np.arange(self.num_rows) if self.places is None else self.places
        return CodedTable(columns=self.columns, cells=self.cells[rows], places=places[rows])

    def sample(self, num_rows: int, rng: np.random.Generator) -> CodedTable:
        """At most `num_rows` rows, drawn without replacement and kept in order."""
        if self.num_rows <= num_rows:
            return self
        return self.take(np.sort(rng.choice(self.num_rows, size=num_rows, replace=False)))


def encode(frames: Mapping[str, pd.DataFrame], plan: ColumnPlan) -> dict[str, CodedTable]:
    """Encode tables of the same columns under shared codes; `frames` must hold `train`.

    Raises:
        TableError: a cell of a numeric column is not a finite number.
    """
    columns: list[CodedColumn] = []
    cells: dict[str, list[Floats]] = {role: [] for role in frames}
    for name in plan.names:
        if name in plan.numeric:
            date_format = plan.date_formats.get(name)
            columns.append(CodedColumn(name=name, is_numeric=True, date_format=date_format))
            for role, frame in frames.items():
                cells[role].append(numbers(frame[name], table=role, date_format=date_format))
        else:
            coded = {role: coded_texts(frame[name]) for role, frame in frames.items()}
            levels = _levels(coded)
            columns.append(CodedColumn(name=name, is_numeric=False, levels=levels))
            code = {level: float(number) for number, level in enumerate(levels)}
            for role, (places, words) in coded.items():
                # a word that no row uses (the missing cell of a full column) is no level
                cells[role].append(np.array([code.get(w, np.nan) for w in words])[places])
    return {
        role: CodedTable(columns=tuple(columns), cells=np.column_stack(parts))
        for role, parts in cells.items()
    }


def encode_as(frame: pd.DataFrame, columns: tuple[CodedColumn, ...], *, role: str) -> CodedTable:
    """Encode a table under codes that are known; they hold every word of it.

    Raises:
        TableError: a cell of a numeric column is not a finite number.
    """
    cells = []
    for column in columns:
        if column.is_numeric:
            name, date_format = column.name, column.date_format
            cells.append(numbers(frame[name], table=role, date_format=date_format))
        else:
            places, words = coded_texts(frame[column.name])
            code = {level: float(number) for number, level in enumerate(column.levels)}
            cells.append(np.array([code.get(w, np.nan) for w in words])[places])
    return CodedTable(columns=columns, cells=np.column_stack(cells))


def shared_levels(
    frequency: Mapping[str | None, int], everywhere: Iterable[str | None]
) -> tuple[str | None, ...]:
    """Words in order of their codes: the most frequent in train first.

    Args:
        everywhere: the words of all tables, train's among them.
    """
    return tuple(sorted(everywhere, key=lambda level: (-frequency.get(level, 0), level or "")))


def _levels(coded: Mapping[str, tuple[Codes, NDArray[np.object_]]]) -> tuple[str | None, ...]:
    counts = {
        role: np.bincount(places, minlength=len(words)) for role, (places, words) in coded.items()
    }
    frequency = dict(zip(coded["train"][1], counts["train"], strict=True))
    everywhere = {
        word
        for role, (_, words) in coded.items()
        for word, count in zip(words, counts[role], strict=True)
        if count
    }
    return shared_levels(frequency, everywhere)
