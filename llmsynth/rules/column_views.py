"""A table's columns as the search for rules reads them: codes, numbers and moments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.schema.columns import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    DatetimeColumn,
    NumberColumn,
)
from llmsynth.schema.storage import is_number
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.computed_cells import numbers_of

MOST_LEVELS = 60
"""A column of at most so many values is also read as a column of levels."""

Numbers = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ColumnView:
    """One column.

    codes: int64 (rows,), the index of each cell's text in `texts`.
    texts: the cells as Arrow spells them; None for a missing one.
    counts: int64 (texts,), rows of each.
    numbers: float64 (rows,), NaN where missing; None where the column holds no numbers.
    """

    column: Column
    codes: Codes
    texts: list[str | None]
    counts: Codes
    numbers: Numbers | None

    @property
    def name(self) -> str:
        return self.column.name

    @property
    def num_values(self) -> int:
        """Different values, a missing cell being one of them."""
        return len(self.texts)

    @property
    def has_levels(self) -> bool:
        """Whether the column's values are few enough to be told one by one."""
        is_few = self.num_values <= MOST_LEVELS
        return is_few or isinstance(self.column, CategoryColumn | BooleanColumn)

    @property
    def is_measured(self) -> bool:
        """Whether the column holds numbers that mean an amount, as far as can be told."""
        return isinstance(self.column, NumberColumn) and self.numbers is not None

    @property
    def decimals(self) -> int:
        """Decimal places of the column's numbers."""
        return self.column.scale if isinstance(self.column, NumberColumn) else 0


def views_of(table: pa.Table, schema: TableSchema) -> list[ColumnView]:
    """The columns that a rule may speak of: no identifiers and no free text."""
    kinds = (BooleanColumn, CategoryColumn, DateColumn, DatetimeColumn, NumberColumn)
    return [_view(table, column) for column in schema.columns if isinstance(column, kinds)]


def _view(table: pa.Table, column: Column) -> ColumnView:
    cells = table[column.name].combine_chunks()
    coded = cells.cast(pa.string()).dictionary_encode(null_encoding="encode")
    texts = coded.dictionary.to_pylist()
    codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    numbers = numbers_of(table, column.name) if is_number(cells.type) else None
    counts = np.bincount(codes, minlength=len(texts)).astype(np.int64)
    return ColumnView(column=column, codes=codes, texts=texts, counts=counts, numbers=numbers)
