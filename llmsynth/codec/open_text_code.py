"""The row language of open texts (free text, identifiers): a text form, and no compiled tokens.

The compact model has no vocabulary for open text; it leaves free-text columns to pretrained
models, and identifiers are re-invented from their pattern after decoding.
"""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.codec.cell_text import MISSING, escape
from llmsynth.codec.column_code import Cell, CellAutomaton, ColumnCode, Tokens
from llmsynth.codec.identifier_pattern import read_pattern
from llmsynth.errors import SchemaError, TableError
from llmsynth.schema.columns import IdentifierColumn, TextColumn
from llmsynth.schema.storage import arrow_type

# As `json.dumps` writes them: one spelling for each character.
PLAIN_CHARACTER = r'[^"\\\x00-\x1f]'
ESCAPED_CHARACTER = r'\\["\\bfnrt]|\\u00(?:0[0-7bef]|1[0-9a-f])'
JSON_CHARACTER = f"(?:{PLAIN_CHARACTER}|{ESCAPED_CHARACTER})"


class OpenTextCode(ColumnCode):
    """No places; texts are always JSON strings."""

    place_sizes = ()
    automaton = CellAutomaton(
        place=np.zeros(0, np.int32),
        allowed=np.zeros((0, 0), np.bool_),
        following=np.zeros((0, 0), np.int32),
    )

    def __init__(self, column: TextColumn | IdentifierColumn) -> None:
        self.column: TextColumn | IdentifierColumn = column
        self._kind = arrow_type(column.storage)
        if isinstance(column, TextColumn):
            self._body = f"{JSON_CHARACTER}{{0,{column.maximum_length}}}"
        else:
            self._body = "".join(atom.regex() for atom in read_pattern(column))

    def encode(self, cells: pa.Array) -> Tokens:
        self._absent(cells)
        if isinstance(self.column, TextColumn):
            lengths = pc.utf8_length(cells.cast(pa.string())).fill_null(0)
            row = pc.index(pc.greater(lengths, self.column.maximum_length), True).as_py()
            if row >= 0:
                raise TableError(
                    f"Column {self.column.name!r}, row {row + 1}: the text has {lengths[row]} "
                    f"characters; {self.column.maximum_length} is the most.",
                    hint="Raise maximum_length in the schema, or shorten the text.",
                )
        return np.zeros((len(cells), 0), dtype=np.int32)

    def decode(self, tokens: Tokens) -> pa.Array:
        return pa.nulls(len(tokens), self._kind)

    def text(self, cell: Cell) -> str:
        if cell is None:
            return self._missing_text()
        return json.dumps(str(cell), ensure_ascii=False)

    def cell(self, text: str, *, quoted: bool) -> Cell:
        if text == MISSING and not quoted:
            self._missing_text()
            return None
        if not quoted:
            raise SchemaError(f"Column {self.column.name!r}: expected a quoted text, got {text!r}.")
        try:
            return pa.scalar(text, pa.string()).cast(self._kind).as_py()
        except (pa.ArrowException, UnicodeError) as error:
            raise SchemaError(
                f"Column {self.column.name!r}: {text!r} does not fit {self.column.storage}; {error}"
            ) from error

    def token_text(self, place: int, token: int) -> str:
        raise SchemaError(f"Column {self.column.name!r} has no compiled tokens.")

    def regex(self) -> str:
        quoted = f'"{self._body}"'
        return f"(?:{quoted}|{escape(MISSING)})" if self.column.nullable else quoted
