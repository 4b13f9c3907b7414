"""The row language of columns that hold one of a few known units: categories and booleans."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.codec.cell_text import MISSING, spell
from llmsynth.codec.column_code import Cell, CellAutomaton, ColumnCode, Tokens
from llmsynth.errors import SchemaError, TableError
from llmsynth.schema.columns import BooleanColumn, CategoryColumn
from llmsynth.schema.storage import arrow_type


class CategoryCode(ColumnCode):
    """One place; a token for each category, and the last for a missing cell."""

    def __init__(self, column: CategoryColumn | BooleanColumn) -> None:
        self.column = column
        self._texts: tuple[str, ...] = (
            column.categories if isinstance(column, CategoryColumn) else ("true", "false")
        )
        self._spelled = [spell(text) for text in self._texts]
        missing = column.nullable or not self._texts
        self._missing = len(self._texts) if missing else None
        self.place_sizes = (len(self._texts) + missing,)
        self.automaton = CellAutomaton.explore(
            "start", lambda _: (0, dict.fromkeys(range(self.place_sizes[0]))), self.place_sizes[0]
        )

    def encode(self, cells: pa.Array) -> Tokens:
        texts = cells.cast(pa.string())
        found = pc.index_in(texts, value_set=pa.array(self._texts, pa.string()))
        tokens = found.to_numpy(zero_copy_only=False).astype(np.float64)
        absent = cells.is_null().to_numpy(zero_copy_only=False)
        bad = np.isnan(tokens) & ~absent
        if bad.any():
            row = int(np.argmax(bad))
            raise TableError(
                f"Column {self.column.name!r}, row {row + 1}: {texts[row].as_py()!r} is not one of "
                f"its {len(self._texts)} categories.",
                hint="Add it to the schema, or correct the cell.",
            )
        if absent.any() and self._missing is None:
            raise TableError(
                f"Column {self.column.name!r}, row {int(np.argmax(absent)) + 1}: the cell is missing, "
                "and the schema says it never is.",
                hint="Set nullable to true in the schema.",
            )
        tokens[absent] = -1 if self._missing is None else self._missing
        return tokens.astype(np.int32)[:, None]

    def decode(self, tokens: Tokens) -> pa.Array:
        indices = pa.array(tokens[:, 0], pa.int32(), mask=tokens[:, 0] >= len(self._texts))
        texts = pa.array(self._texts, pa.string()).take(indices)
        return texts.cast(arrow_type(self.column.storage))

    def text(self, cell: Cell) -> str:
        if cell is None:
            return MISSING
        return spell(_text_of(cell))

    def cell(self, text: str, *, quoted: bool) -> Cell:
        if text == MISSING and not quoted:
            if self._missing is None:
                raise SchemaError(f"Column {self.column.name!r} cannot be missing.")
            return None
        if text not in self._texts:
            raise SchemaError(f"Column {self.column.name!r} has no category {text!r}.")
        return pa.scalar(text).cast(arrow_type(self.column.storage)).as_py()

    def token_text(self, place: int, token: int) -> str:
        return MISSING if token == self._missing else self._spelled[token]


def _text_of(cell: Cell) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return str(cell)
