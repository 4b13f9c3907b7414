"""Cells of any typed column as numbers that can be kept, averaged and cut into bins."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.relational.scale import Numbers
from llmsynth.schema.columns import BooleanColumn, CategoryColumn, Column


class CellNumbers:
    """Reads cells of one column as float64: a category by its place in the list, NaN if missing.

    Attributes:
        levels: the texts of a category or boolean column; None for what lies on a number line.
    """

    def __init__(self, column: Column) -> None:
        self.levels: tuple[str, ...] | None = None
        if isinstance(column, CategoryColumn):
            self.levels = column.categories
        if isinstance(column, BooleanColumn):
            self.levels = ("false", "true")

    def read(self, cells: pa.ChunkedArray) -> Numbers:
        """One number a cell; float64 (cells,)."""
        whole = cells.combine_chunks()
        if self.levels is not None:
            whole = pc.index_in(whole.cast(pa.string()), value_set=pa.array(self.levels, "string"))
        elif pa.types.is_date32(whole.type):
            whole = whole.cast(pa.int32())
        elif pa.types.is_temporal(whole.type):
            whole = whole.cast(pa.int64())
        numbers = whole.cast(pa.float64(), safe=False)
        return np.array(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)
