"""The row language of open texts (free text, identifiers): a text form, and no compiled tokens.

The compact model has no vocabulary for open text; it leaves free-text columns to pretrained
models, and identifiers are re-invented from their pattern after decoding.
"""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from llmsynth.codec.cell_text import MISSING, escape
from llmsynth.codec.column_code import Cell, CellAutomaton, ColumnCode, Tokens
from llmsynth.errors import SchemaError
from llmsynth.schema.columns import IdentifierColumn, TextColumn

_JSON_CHARACTER = r'(?:[^"\\\x00-\x1f\x7f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})'
from llmsynth.schema.storage import arrow_type


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

    def encode(self, cells: pa.Array) -> Tokens:
        return np.zeros((len(cells), 0), dtype=np.int32)

    def decode(self, tokens: Tokens) -> pa.Array:
        return pa.nulls(len(tokens), arrow_type(self.column.storage))

    def text(self, cell: Cell) -> str:
        return MISSING if cell is None else json.dumps(str(cell), ensure_ascii=False)

    def cell(self, text: str, *, quoted: bool) -> Cell:
        if text == MISSING and not quoted and self.column.nullable:
            return None
        if not quoted:
            raise SchemaError(f"Column {self.column.name!r}: expected a quoted text, got {text!r}.")
        return pa.scalar(text).cast(arrow_type(self.column.storage)).as_py()

    def token_text(self, place: int, token: int) -> str:
        raise SchemaError(f"Column {self.column.name!r} has no compiled tokens.")

    def regex(self) -> str:
        if isinstance(self.column, TextColumn):
            body = f"{_JSON_CHARACTER}{{0,{self.column.maximum_length}}}"
        else:
            body = self.column.pattern
        quoted = f'"{body}"'
        return f"(?:{quoted}|{escape(MISSING)})" if self.column.nullable else quoted
