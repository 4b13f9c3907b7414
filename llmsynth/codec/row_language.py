"""One compiled object per schema, from which training text, grammar and parser all derive.

A row's text is `name=value` pairs in any column order, joined by "; " and ended by a line break:

    age=39; workclass=State-gov; capital_gain=02174; income=<=50K
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.codec.calendar_code import CalendarCode
from llmsynth.codec.category_code import CategoryCode
from llmsynth.codec.cell_text import PAIR_END, ROW_END, escape, read, spell_name
from llmsynth.codec.column_code import Cell, ColumnCode, Tokens
from llmsynth.codec.number_code import NumberCode
from llmsynth.codec.open_text_code import OpenTextCode
from llmsynth.codec.spelled_text_code import SpelledTextCode
from llmsynth.errors import SchemaError
from llmsynth.schema.columns import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    DatetimeColumn,
    IdentifierColumn,
    NumberColumn,
    TextColumn,
)
from llmsynth.schema.table_schema import TableSchema


class RowLanguage:
    """The row language of one schema.

    Attributes:
        schema: the schema it was compiled from.
        codes: one `ColumnCode` per column, in table order.
        place_sizes: int64 (places,), how many tokens each place of a row has.
        place_columns: int64 (places,), the index of the column each place belongs to.
    """

    def __init__(self, schema: TableSchema) -> None:
        self.schema = schema
        self.codes: tuple[ColumnCode, ...] = tuple(_code(column) for column in schema.columns)
        self._by_name = dict(zip(schema.names, self.codes, strict=True))
        self.place_sizes: npt.NDArray[np.int64] = np.array(
            [size for code in self.codes for size in code.place_sizes], dtype=np.int64
        )
        counts = [len(code.place_sizes) for code in self.codes]
        self.place_columns: npt.NDArray[np.int64] = np.repeat(np.arange(len(counts)), counts)
        self._first_places = np.concatenate([[0], np.cumsum(counts)]).astype(int)

    @cached_property
    def place_owners(self) -> tuple[int, ...]:
        """For each place, the earlier place whose tokens it shares, or itself; empty where all
        places have tokens of their own.
        """
        owners = tuple(
            self.places(column).start + owner
            for column, code in enumerate(self.codes)
            for owner in code.place_owners
        )
        return () if owners == tuple(range(len(owners))) else owners

    def places(self, column: int) -> range:
        """The places of the column at index `column`."""
        return range(int(self._first_places[column]), int(self._first_places[column + 1]))

    def encode(self, table: pa.Table) -> Tokens:
        """Tokens of many rows.

        Args:
            table: columns as the schema has them, in their storage types.

        Returns:
            int32 (rows, places); SKIPPED where a cell does not use a place.

        Raises:
            TableError: a cell that the schema cannot hold.
        """
        parts = [code.encode(_whole(table.column(code.column.name))) for code in self.codes]
        return np.concatenate(parts, axis=1)

    def decode(self, tokens: Tokens) -> pa.Table:
        """Rows of many tokens, every column of the schema in its storage type.

        Columns without compiled tokens (free text, identifiers) come back all missing.
        """
        arrays = [
            code.decode(tokens[:, self.places(i).start : self.places(i).stop])
            for i, code in enumerate(self.codes)
        ]
        return pa.Table.from_arrays(arrays, names=list(self.schema.names))

    def serialize(self, row: Mapping[str, Cell], order: Sequence[str] | None = None) -> str:
        """A row as text, its columns in `order` (table order when omitted)."""
        pairs = []
        for name in order or self.schema.names:
            pairs.append(f"{spell_name(name)}={self._code(name).text(row[name])}")
        return PAIR_END.join(pairs) + ROW_END

    def parse(self, text: str) -> dict[str, Cell]:
        """A row back from its text, in whatever order its columns stand.

        Raises:
            SchemaError: not a row of this language; the message names the character.
        """
        row: dict[str, Cell] = {}
        at = 0
        while True:
            name, _, at = read(text, at)
            if name in row or not text.startswith("=", at):
                raise SchemaError(
                    f"Expected a new column name and '=' before character {at} of {text!r}."
                )
            value, quoted, at = (
                read(text, at + 1) if text.startswith('"', at + 1) else _bare(text, at + 1)
            )
            row[name] = self._code(name).cell(value, quoted=quoted)
            if text[at:] == ROW_END:
                break
            if not text.startswith(PAIR_END, at):
                raise SchemaError(
                    f"Expected {PAIR_END!r} or the row's end at character {at} of {text!r}."
                )
            at += len(PAIR_END)
        if len(row) != len(self.codes):
            raise SchemaError(f"The row lacks {sorted(set(self.schema.names) - set(row))}.")
        return {name: row[name] for name in self.schema.names}

    def regex(self, order: Sequence[str] | None = None) -> str:
        """A regular expression of every row whose columns stand in `order`."""
        pairs = [
            f"{escape(spell_name(name))}={self._code(name).regex()}"
            for name in order or self.schema.names
        ]
        return escape(PAIR_END).join(pairs) + escape(ROW_END)

    def vocabulary(self) -> list[str]:
        """One readable name per compiled token, in place order: `column=piece`."""
        out = []
        for code in self.codes:
            for place, size in enumerate(code.place_sizes):
                if code.place_owners[place] != place:
                    continue
                marks = "~" * place
                name = spell_name(code.column.name)
                out += [f"{name}={marks}{code.token_text(place, token)}" for token in range(size)]
        return out

    def _code(self, name: str) -> ColumnCode:
        code = self._by_name.get(name)
        if code is None:
            raise SchemaError(f"No column {name!r} in this row language.")
        return code


def _bare(text: str, start: int) -> tuple[str, bool, int]:
    """A bare value may hold '=' (a category such as <=50K), which a bare name may not."""
    end = start
    while end < len(text) and text[end] not in ";\n":
        end += 1
    return text[start:end], False, end


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _code(column: Column) -> ColumnCode:
    match column:
        case NumberColumn():
            return NumberCode(column)
        case CategoryColumn() | BooleanColumn():
            return CategoryCode(column)
        case DateColumn() | DatetimeColumn():
            return CalendarCode(column)
        case TextColumn() if column.pieces:
            return SpelledTextCode(column)
        case TextColumn() | IdentifierColumn():
            return OpenTextCode(column)
    raise SchemaError(f"Column {column.name!r} has the unknown kind {column.kind!r}.")
