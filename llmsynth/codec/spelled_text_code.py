"""The row language of open texts that the compact model spells: whole texts, or pieces in slots.

The first place holds a common text, the first piece of another one, or "missing"; every later
place the next piece or the end. Later places share one set of tokens, and places behind the end
are not used, so a short text costs few positions whatever the longest one takes.
"""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.codec.cell_text import MISSING, escape, spell
from llmsynth.codec.column_code import END, SKIPPED, Cell, CellAutomaton, ColumnCode, Tokens
from llmsynth.codec.open_text_code import JSON_CHARACTER
from llmsynth.codec.text_segmentation import UNSPELLABLE, TextSegmentation
from llmsynth.errors import SchemaError, TableError
from llmsynth.schema.columns import TextColumn
from llmsynth.schema.storage import arrow_type

_MOST_AUTOMATON_CELLS = 60_000_000


class SpelledTextCode(ColumnCode):
    """Common texts and pieces of a text column; see the module docstring.

    Attributes:
        first_piece: the token of the first piece at place 0, behind those of common texts.
        end: the token that ends a text at later places, behind the pieces.
    """

    def __init__(self, column: TextColumn) -> None:
        self.column: TextColumn = column
        self._kind = arrow_type(column.storage)
        self._segmentation = TextSegmentation(column.pieces)
        self.first_piece = len(column.common)
        self.end = len(column.pieces)
        self._missing = self.first_piece + len(column.pieces) if column.nullable else SKIPPED
        first = self.first_piece + len(column.pieces) + column.nullable
        self.place_sizes = (first, *[len(column.pieces) + 1] * (column.maximum_pieces - 1))
        self.automaton = self._automaton()

    @property
    def place_owners(self) -> tuple[int, ...]:
        return tuple(min(place, 1) for place in range(len(self.place_sizes)))

    def encode(self, cells: pa.Array) -> Tokens:
        absent = self._absent(cells)
        coded = cells.cast(pa.string()).dictionary_encode()
        texts: list[str] = coded.dictionary.to_pylist()
        found = np.concatenate([self._tokens(texts), np.full((1, self._width), SKIPPED, np.int32)])
        index = np.asarray(coded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False))
        tokens: Tokens = found[index]
        unknown = tokens[:, 0] == UNSPELLABLE
        if unknown.any():
            row = int(np.argmax(unknown))
            raise TableError(
                f"Column {self.column.name!r}, row {row + 1}: {self._why(texts[index[row]])}",
                hint="Shorten or respell it; the schema lists what the column's texts are made of "
                "(pieces, maximum_pieces, maximum_length).",
            )
        tokens[absent, 0] = self._missing
        return tokens

    @property
    def _width(self) -> int:
        return len(self.place_sizes)

    def _tokens(self, texts: list[str]) -> Tokens:
        """Tokens of texts; UNSPELLABLE at the first place of those that the column cannot hold."""
        out = np.full((len(texts), self._width), SKIPPED, dtype=np.int32)
        if not texts:
            return out
        common = pc.index_in(
            pa.array(texts, pa.string()), value_set=pa.array(self.column.common, pa.string())
        ).to_pylist()
        spelled = self._segmentation.pieces_of(texts)
        for row, (unit, pieces) in enumerate(zip(common, spelled, strict=True)):
            if unit is not None:
                out[row, 0] = unit
            elif not self._fits(texts[row], pieces):
                out[row, 0] = UNSPELLABLE
            else:
                out[row, : len(pieces)] = pieces
                out[row, 0] += self.first_piece
                if len(pieces) < self._width:
                    out[row, len(pieces)] = self.end
        return out

    def _fits(self, text: str, pieces: list[int]) -> bool:
        is_short = len(text) <= self.column.maximum_length and len(pieces) <= self._width
        return is_short and pieces != [UNSPELLABLE] and bool(pieces)

    def _why(self, text: str) -> str:
        column = self.column
        if not text:
            return "the text is empty, and none that was learned is."
        if len(text) > column.maximum_length:
            return f"the text has {len(text)} characters; {column.maximum_length} is the most."
        (pieces,) = self._segmentation.pieces_of([text])
        if pieces == [UNSPELLABLE]:
            known = {piece for piece in column.pieces if len(piece) == 1}
            lacking = "".join(sorted(set(text) - known))
            return f"{text!r} has {lacking!r}, which too few of the learned texts have."
        return f"{text!r} takes {len(pieces)} pieces; {column.maximum_pieces} is the most."

    def decode(self, tokens: Tokens) -> pa.Array:
        first = tokens[:, 0]
        absent = (first == SKIPPED) | (first == self._missing)
        starts = np.array([*self.column.common, *self.column.pieces, ""], dtype=object)
        texts = starts[np.clip(first, 0, len(starts) - 1)]
        pieces = np.array([*self.column.pieces, ""], dtype=object)
        for place in range(1, self._width):
            used = np.flatnonzero(tokens[:, place] >= 0)
            texts[used] += pieces[tokens[used, place]]
        return pa.array(texts.tolist(), pa.string(), mask=absent).cast(self._kind)

    def text(self, cell: Cell) -> str:
        if cell is None:
            return self._missing_text()
        self._check(str(cell))
        return json.dumps(str(cell), ensure_ascii=False)

    def cell(self, text: str, *, quoted: bool) -> Cell:
        if text == MISSING and not quoted:
            self._missing_text()
            return None
        if not quoted:
            raise SchemaError(f"Column {self.column.name!r}: expected a quoted text, got {text!r}.")
        self._check(text)
        return pa.scalar(text, pa.string()).cast(self._kind).as_py()

    def _check(self, text: str) -> None:
        if self._tokens([text])[0, 0] == UNSPELLABLE:
            raise SchemaError(f"Column {self.column.name!r}: {self._why(text)}")

    def token_text(self, place: int, token: int) -> str:
        if place == 0:
            if token == self._missing:
                return MISSING
            if token < self.first_piece:
                return spell(self.column.common[token])
            token -= self.first_piece
        # A lone quote is no text's spelling, and neither is a quoted text with a sign behind it.
        return '"' if token == self.end else f"{json.dumps(self.column.pieces[token])}+"

    def regex(self) -> str:
        quoted = f'"{JSON_CHARACTER}{{0,{self.column.maximum_length}}}"'
        return f"(?:{quoted}|{escape(MISSING)})" if self.column.nullable else quoted

    def _automaton(self) -> CellAutomaton:
        """States: the start, then (place, characters so far); one a place where any text fits."""
        lengths = np.array([len(piece) for piece in self.column.pieces])
        most, width = self.column.maximum_length, self._width
        is_bounded = most < int(lengths.max()) * width
        used = np.arange(most + 1) if is_bounded else np.zeros(1, dtype=np.int64)
        states, tokens = 1 + (width - 1) * len(used), max(self.place_sizes)
        if states * tokens > _MOST_AUTOMATON_CELLS:
            raise SchemaError(
                f"Column {self.column.name!r}: {width} pieces of {len(lengths)} kinds within "
                f"{most} characters are too many to keep track of.",
                hint=f"Raise maximum_length to {int(lengths.max()) * width} or lower "
                "maximum_pieces in the schema.",
            )
        place = np.concatenate([[0], np.repeat(np.arange(1, width), len(used))]).astype(np.int32)
        allowed = np.zeros((states, tokens), dtype=np.bool_)
        following = np.full((states, tokens), END, dtype=np.int32)
        allowed[0, : self.place_sizes[0]] = True
        first = slice(self.first_piece, self.first_piece + len(lengths))
        allowed[0, first] = lengths <= most
        after = used[:, None] + (lengths if is_bounded else 0)
        for slot in range(width - 1):
            mine = slice(1 + (slot - 1) * len(used), 1 + slot * len(used)) if slot else slice(0, 1)
            target = 1 + slot * len(used) + (after if slot else after[:1])
            pieces = first if slot == 0 else slice(0, len(lengths))
            following[mine, pieces] = np.minimum(target, states - 1)
        for slot in range(1, width):
            mine = slice(1 + (slot - 1) * len(used), 1 + slot * len(used))
            allowed[mine, : len(lengths)] = (after <= most) | (not is_bounded)
            allowed[mine, self.end] = True
        return CellAutomaton(place=place, allowed=allowed, following=following)
