"""Rows of a language as a tokenizer's tokens, for training and for the prefixes of sampling alike.

Literal runs (`; age=`) and cells are tokenized apart, so that a token never straddles a border and
a row has the same tokens whether it is learned, given or drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import pyarrow as pa

from llmsynth.codec.cell_text import PAIR_END, ROW_END, escape, spell_name
from llmsynth.codec.row_language import RowLanguage
from llmsynth.codec.token_spelling import Tokenizer, TokenSpelling
from llmsynth.errors import SettingsError

CellTokens = Sequence[int] | None
"""The tokens of one cell; None where it is not to be learned."""


class EncodingTokenizer(Tokenizer, Protocol):
    """A tokenizer that also encodes; every `PreTrainedTokenizerFast` does."""

    @property
    def bos_token_id(self) -> int | None:
        """The token that begins a text."""

    def __call__(
        self, text: list[str], *, add_special_tokens: bool
    ) -> Mapping[str, list[list[int]]]:
        """Encode texts; `input_ids` holds their tokens."""


@dataclass(frozen=True, kw_only=True)
class TokenizedRow:
    """A row as it is learned.

    Attributes:
        token_ids: prompt, row, end-of-text token.
        is_learned: for each token, whether it costs loss. Literal runs cost none but for their
            first token, which decides that the cell before it is over.
    """

    token_ids: list[int]
    is_learned: list[bool]


class RowTokens:
    """A row language in one tokenizer's tokens.

    Attributes:
        prompt_ids: what the model reads before every row.

    Raises:
        SettingsError: the tokenizer has no end-of-text token, or its kind is unknown.
    """

    def __init__(self, language: RowLanguage, tokenizer: EncodingTokenizer) -> None:
        self.language = language
        self._tokenizer = tokenizer
        self._spelling = TokenSpelling.of(tokenizer)
        begin = tokenizer.bos_token_id
        self.eos_token_id = self._spelling.eos_token_id
        self.prompt_ids: tuple[int, ...] = (self.eos_token_id if begin is None else begin,)
        names = [spell_name(name) for name in language.schema.names]
        literals = [ROW_END, *(f"{n}=" for n in names), *(f"{PAIR_END}{n}=" for n in names)]
        self._end, *runs = self._encoded(literals)
        self._first, self._next = runs[: len(names)], runs[len(names) :]

    def cells(self, table: pa.Table) -> dict[str, list[list[int]]]:
        """The tokens of every cell of the table's columns that the language has.

        Raises:
            SchemaError: a cell that its column cannot hold.
        """
        return {
            name: self._column(name, table.column(name))
            for name in self.language.schema.names
            if name in table.column_names
        }

    def row(
        self, columns: Sequence[int], cells: Mapping[int, CellTokens], num_context: int = 0
    ) -> TokenizedRow:
        """A whole row, its columns in the given order; cells that are None are left out.

        Args:
            columns: column indices.
            num_context: how many of the first columns are only read, at no loss.
        """
        ids, learned = list(self.prompt_ids), [False] * len(self.prompt_ids)
        is_first, was_learned = True, False
        for place, column in enumerate(columns):
            cell = cells[column]
            if cell is None:
                continue
            literal = (self._first if is_first else self._next)[column]
            is_learned = place >= num_context
            ids += [*literal, *cell]
            learned += [was_learned, *[False] * (len(literal) - 1), *[is_learned] * len(cell)]
            is_first, was_learned = False, is_learned
        ids += [*self._end, self.eos_token_id]
        learned += [was_learned, *[False] * (len(self._end) - 1), was_learned]
        return TokenizedRow(token_ids=ids, is_learned=learned)

    def prefix(
        self, columns: Sequence[int], cells: Mapping[int, Sequence[int]], then: int
    ) -> list[int]:
        """The beginning of a row: the given cells in order, and the name of the next column."""
        ids: list[int] = []
        for column in columns:
            ids += [*(self._next if ids else self._first)[column], *cells[column]]
        return ids + list((self._next if ids else self._first)[then])

    def read_only(self, text: str) -> list[int]:
        """Tokens of a text that is read before the rows: none of them special, whatever it says."""
        ids = list(self._tokenizer([text], add_special_tokens=False)["input_ids"][0])
        is_plain = all(self._spelling.pieces[token] is not None for token in ids)
        return ids if is_plain else self._longest(text)

    def pattern_after(self, columns: Sequence[int]) -> str:
        """A regular expression of what follows `prefix(..., then=columns[0])`."""
        codes = self.language.codes
        first, *others = columns
        parts = [codes[first].regex()]
        for column in others:
            name = spell_name(codes[column].column.name)
            parts.append(escape(f"{PAIR_END}{name}=") + codes[column].regex())
        return "".join(parts) + escape(ROW_END)

    @cached_property
    def fewest_tokens(self) -> int:
        """Tokens of a row whose cells are one token each: what a context must hold at least."""
        literals = sum(map(len, self._next)) + len(self._end)
        return len(self.prompt_ids) + literals + len(self._next) + 1

    def _column(self, name: str, cells: pa.ChunkedArray) -> list[list[int]]:
        code = self.language.codes[self.language.schema.names.index(name)]
        encoded = cells.combine_chunks().dictionary_encode(null_encoding="encode")
        texts = [code.text(cell) for cell in encoded.dictionary.to_pylist()]
        tokens = self._encoded(texts)
        return [tokens[index] for index in encoded.indices.to_pylist()]

    def _encoded(self, texts: list[str]) -> list[list[int]]:
        """Tokens that spell exactly these texts, the tokenizer's own wherever those do."""
        if not texts:
            return []
        chosen = self._tokenizer(texts, add_special_tokens=False)["input_ids"]
        return [
            list(ids) if self._spelled(ids) == text.encode() else self._longest(text)
            for text, ids in zip(texts, chosen, strict=True)
        ]

    def _spelled(self, ids: Sequence[int]) -> bytes:
        pieces = self._spelling.pieces
        return b"".join(pieces[token] or b"\0special" for token in ids)

    def _longest(self, text: str) -> list[int]:
        """The longest token at each place, for texts that the tokenizer would change.

        It normalises some, reads special tokens into others, and may put a space before all.
        """
        data, at, ids = text.encode(), 0, []
        while at < len(data):
            end = min(len(data), at + self._longest_piece)
            while end > at and data[at:end] not in self._tokens_by_piece:
                end -= 1
            if end == at:
                raise SettingsError(
                    f"The tokenizer has no token for the byte {data[at]:#04x} of {text[:40]!r}.",
                    hint="Use a byte-level BPE trained with the full byte alphabet.",
                )
            ids.append(self._tokens_by_piece[data[at:end]])
            at = end
        return ids

    @cached_property
    def _tokens_by_piece(self) -> dict[bytes, int]:
        return {piece: token for token, piece in enumerate(self._spelling.pieces) if piece}

    @cached_property
    def _longest_piece(self) -> int:
        return max(map(len, self._tokens_by_piece))
