"""What every kind of column gives the row language: places, tokens, an automaton, a text form.

A cell is written as one token per *place*: place 0 decides between a missing cell, a unit (a
category, a frequent number) and a leading digit group; later places hold the digit groups that
remain. Which tokens may stand at a place, given the tokens before it in the same cell, is held by
a `CellAutomaton`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.codec.cell_text import MISSING, escape
from llmsynth.errors import SchemaError, TableError
from llmsynth.schema.columns import Column

SKIPPED = -1
"""Token index of a place that a cell does not use."""
END = -1
"""Automaton state after a complete cell."""

Cell = object
"""A Python value as `pyarrow.Scalar.as_py` gives it."""

Tokens = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class CellAutomaton:
    """Which tokens a cell may continue with; state 0 is the start of the cell.

    place: int32 (states,), the place each state stands at.
    allowed: bool (states, widest place), the tokens that may be written.
    following: int32 (states, widest place), the state after each token; END completes the cell.
    """

    place: npt.NDArray[np.int32]
    allowed: npt.NDArray[np.bool_]
    following: npt.NDArray[np.int32]

    @classmethod
    def explore(
        cls,
        start: Hashable,
        moves: Callable[[Hashable], tuple[int, Mapping[int, Hashable | None]]],
        widest: int,
    ) -> CellAutomaton:
        """Number every state reachable from `start`; `moves` gives its place and successors."""
        numbers: dict[Hashable, int] = {start: 0}
        queue = [start]
        places: list[int] = []
        allowed: list[npt.NDArray[np.bool_]] = []
        following: list[npt.NDArray[np.int32]] = []
        for state in queue:
            place, successors = moves(state)
            ok = np.zeros(widest, dtype=np.bool_)
            to = np.full(widest, END, dtype=np.int32)
            for token, successor in successors.items():
                ok[token] = True
                if successor is not None:
                    if successor not in numbers:
                        numbers[successor] = len(queue)
                        queue.append(successor)
                    to[token] = numbers[successor]
            places.append(place)
            allowed.append(ok)
            following.append(to)
        return cls(
            place=np.array(places, dtype=np.int32),
            allowed=np.stack(allowed),
            following=np.stack(following),
        )


class ColumnCode(ABC):
    """The row language of one column."""

    column: Column
    place_sizes: tuple[int, ...]
    automaton: CellAutomaton

    @property
    def place_owners(self) -> tuple[int, ...]:
        """For each place, the earlier place whose tokens it shares, or itself."""
        return tuple(range(len(self.place_sizes)))

    @abstractmethod
    def encode(self, cells: pa.Array) -> Tokens:
        """Tokens of many cells.

        Args:
            cells: the column in its storage type.

        Returns:
            int32 (cells, places), SKIPPED where a cell does not use a place.

        Raises:
            TableError: a cell that the schema cannot hold; names column and row.
        """

    @abstractmethod
    def decode(self, tokens: Tokens) -> pa.Array:
        """Cells of many token rows, in the column's storage type; inverse of `encode`.

        A cell whose first place is SKIPPED comes out missing.
        """

    @abstractmethod
    def text(self, cell: Cell) -> str:
        """One cell as it stands in a row's text.

        Raises:
            SchemaError: a cell that this column cannot hold.
        """

    @abstractmethod
    def cell(self, text: str, *, quoted: bool) -> Cell:
        """One cell back from its text.

        Raises:
            SchemaError: the text is not one this column can hold.
        """

    @abstractmethod
    def token_text(self, place: int, token: int) -> str:
        """The piece of text that a token stands for."""

    def _absent(self, cells: pa.Array) -> npt.NDArray[np.bool_]:
        """Which cells are missing; bool (cells,). Refuses them where none may be."""
        absent = np.asarray(cells.is_null().to_numpy(zero_copy_only=False), dtype=np.bool_)
        if absent.any() and not self.column.nullable:
            raise TableError(
                f"Column {self.column.name!r}, row {int(np.argmax(absent)) + 1}: the cell is "
                "missing, and the schema says it never is.",
                hint="Set nullable to true in the schema.",
            )
        return absent

    def _missing_text(self) -> str:
        if not self.column.nullable:
            raise SchemaError(f"Column {self.column.name!r} cannot be missing.")
        return MISSING

    def token_values(self, place: int) -> npt.NDArray[np.float64] | None:
        """Where each token lies on the number line; float64 (tokens,), NaN where nowhere.

        Digit groups after the first lie between 0 and 1. None for columns without an order.
        """
        return None

    def regex(self) -> str:
        """A regular expression of every text this column can hold."""
        return self._regex_from(0)

    def _regex_from(self, state: int) -> str:
        place = int(self.automaton.place[state])
        by_successor: dict[int, list[int]] = {}
        for token in np.flatnonzero(self.automaton.allowed[state]):
            by_successor.setdefault(int(self.automaton.following[state, token]), []).append(
                int(token)
            )
        branches = []
        for successor, tokens in by_successor.items():
            here = self._alternatives(place, tokens)
            branches.append(here if successor == END else here + self._regex_from(successor))
        return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"

    def _alternatives(self, place: int, tokens: Sequence[int]) -> str:
        texts = [self.token_text(place, token) for token in tokens]
        width = len(texts[0])
        # Only digit groups of one width: other texts must not pass for all of them.
        is_digits = all(t.isascii() and t.isdigit() and len(t) == width for t in texts)
        if is_digits and len(set(texts)) == 10**width:
            return f"[0-9]{{{width}}}"
        return f"(?:{'|'.join(escape(text) for text in texts)})"
