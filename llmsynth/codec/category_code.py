"""The row language of columns that hold one of a few known units: categories and booleans."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.codec.cell_text import MISSING, spell
from llmsynth.codec.column_code import SKIPPED, Cell, CellAutomaton, ColumnCode, Tokens
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
        self._stored = _stored(column, self._texts)
        self._cells = dict(zip(self._texts, self._stored.to_pylist(), strict=True))
        self._spelled = [spell(text) for text in self._texts]
        if not self._texts and not column.nullable:
            raise SchemaError(
                f"Column {column.name!r} has no categories, and its cells may not be missing."
            )
        self._missing = len(self._texts) if column.nullable else SKIPPED
        self.place_sizes = (len(self._texts) + column.nullable,)
        self.automaton = CellAutomaton.explore(
            "start", lambda _: (0, dict.fromkeys(range(self.place_sizes[0]))), self.place_sizes[0]
        )

    def encode(self, cells: pa.Array) -> Tokens:
        absent = self._absent(cells)
        texts = cells.cast(pa.string())
        found = pc.index_in(texts, value_set=pa.array(self._texts, pa.string()))
        tokens = np.asarray(found.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int32)
        unknown = (tokens < 0) & ~absent
        if unknown.any():
            row = int(np.argmax(unknown))
            raise TableError(
                f"Column {self.column.name!r}, row {row + 1}: {texts[row].as_py()!r} is not one "
                f"of its {len(self._texts)} categories.",
                hint="Add it to the schema, or correct the cell.",
            )
        return np.where(absent, np.int32(self._missing), tokens)[:, None]

    def decode(self, tokens: Tokens) -> pa.Array:
        absent = (tokens[:, 0] == SKIPPED) | (tokens[:, 0] == self._missing)
        indices = pa.array(tokens[:, 0], pa.int32(), mask=absent)
        return self._stored.take(indices)

    def text(self, cell: Cell) -> str:
        if cell is None:
            return self._missing_text()
        text = cell if isinstance(cell, str) else _text_of(cell, self._stored.type)
        if text not in self._cells:
            raise SchemaError(f"Column {self.column.name!r} has no category {text!r}.")
        return spell(text)

    def cell(self, text: str, *, quoted: bool) -> Cell:
        if text == MISSING and not quoted:
            self._missing_text()
            return None
        if text not in self._cells:
            raise SchemaError(f"Column {self.column.name!r} has no category {text!r}.")
        return self._cells[text]

    def token_text(self, place: int, token: int) -> str:
        return MISSING if token == self._missing else self._spelled[token]


def _stored(column: CategoryColumn | BooleanColumn, texts: tuple[str, ...]) -> pa.Array:
    """The categories in the storage type, which must spell them just so."""
    try:
        stored = pa.array(texts, pa.string()).cast(arrow_type(column.storage))
        spelled = stored.cast(pa.string()).to_pylist()
    except pa.ArrowException as error:
        raise SchemaError(
            f"Column {column.name!r}: a category does not fit the storage {column.storage}; {error}"
        ) from error
    for text, back in zip(texts, spelled, strict=True):
        if text != back:
            raise SchemaError(
                f"Column {column.name!r}: its storage {column.storage} spells the category "
                f"{text!r} as {back!r}; list it so."
            )
    return stored


def _text_of(cell: Cell, kind: pa.DataType) -> str:
    try:
        return str(pa.scalar(cell, kind).cast(pa.string()).as_py())
    except (pa.ArrowException, TypeError, ValueError):
        return str(cell)
