"""A regular expression as a deterministic automaton over bytes, and which of its states look alike.

The expression is compiled by outlines_core; this module knows nothing of tokens.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt
from outlines_core import Index, Vocabulary

from llmsynth.errors import SchemaError

DEAD = -1
"""Where a byte leads that no matching text continues with."""

_END = 256

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class ByteAutomaton:
    """States and moves; from every state a final one can be reached.

    Attributes:
        byte_classes: uint8 (256,), bytes that no state tells apart share a class.
        moves: int32 (states, classes), the state that a byte of the class leads to, or DEAD.
        final: bool (states,), whether a text may end there.
        start: the state before the first byte.
    """

    byte_classes: npt.NDArray[np.uint8]
    moves: npt.NDArray[np.int32]
    final: npt.NDArray[np.bool_]
    start: int

    @classmethod
    def compile(cls, pattern: str) -> ByteAutomaton:
        """Compile a regular expression that has to match a whole text.

        Counted repetitions are cheap as long as what they repeat does not match U+0000.

        Args:
            pattern: in outlines_core's dialect: no anchors, no look-around, no back-references.

        Raises:
            SchemaError: the pattern is outside the dialect, or matches no text.
        """
        index, start = _compiled(pattern)
        sources, used, targets = _edges(index)
        states = np.unique(np.concatenate([sources, targets, np.array([start])]))
        dense = np.full((len(states), 256), DEAD, dtype=np.int32)
        dense[np.searchsorted(states, sources), used] = np.searchsorted(states, targets)
        final = np.isin(states, list(index.get_final_states()))
        return _trimmed(dense, final, int(np.searchsorted(states, start)))

    def without(self, unspelled: Iterable[int]) -> ByteAutomaton:
        """The automaton of the texts that contain none of these bytes.

        Raises:
            SchemaError: no text is left.
        """
        dense = self.moves[:, self.byte_classes]
        dense[:, list(unspelled)] = DEAD
        return _trimmed(dense, self.final, self.start)

    def used_bytes(self) -> frozenset[int]:
        """The bytes that some matching text contains."""
        alive = (self.moves != DEAD).any(axis=0)
        return frozenset(np.flatnonzero(alive[self.byte_classes]).tolist())

    def lookalikes(self, depth: int) -> npt.NDArray[np.int64]:
        """Number the states so that those with one number may be followed by the same bytes.

        "The same bytes" up to strings of `depth` of them: the classes after `depth` rounds of
        Moore's partition refinement ("Gedanken-experiments on sequential machines", 1956). Each
        round looks only at the states before those that the round before it set apart.

        Returns:
            int64 (states,), numbers from 0 without gaps.
        """
        alive = self.moves != DEAD
        kinds = _numbered(alive)
        sources, places = np.nonzero(alive)
        before, earlier = _grouped(self.moves[sources, places], sources, len(self.moves))
        affected: npt.NDArray[np.integer] = np.arange(len(self.moves), dtype=np.int64)
        for _ in range(depth - 1):
            if not len(affected):
                break
            seen = np.where(alive[affected], kinds[self.moves[affected]], DEAD)
            apart = _set_apart(kinds, affected, np.column_stack([kinds[affected], seen]))
            if not len(apart):
                break
            changed = [earlier[before[state] : before[state + 1]] for state in apart]
            affected = np.unique(np.concatenate(changed))
        return kinds


def _set_apart(
    kinds: npt.NDArray[np.int64],
    affected: npt.NDArray[np.integer],
    views: npt.NDArray[np.int64],
) -> npt.NDArray[np.integer]:
    """Give new kinds, in place, to affected states that no longer look like the rest of theirs.

    States that are not affected look as before, so they differ from all affected ones; where a
    whole kind is affected, one group of it keeps the number.
    """
    groups = _numbered(views)
    _, leaders = np.unique(groups, return_index=True)
    owners = kinds[affected[leaders]]
    whole = np.bincount(kinds[affected], minlength=kinds.max() + 1) == np.bincount(kinds)
    _, firsts = np.unique(owners, return_index=True)
    keeps = np.zeros(len(leaders), dtype=np.bool_)
    keeps[firsts] = whole[owners[firsts]]
    renamed = np.where(keeps, owners, kinds.max() + np.cumsum(~keeps))
    kinds[affected] = renamed[groups]
    return affected[~keeps[groups]]


def _numbered(rows: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """Number equal rows alike, from 0 in order of appearance."""
    numbers: dict[bytes, int] = {}
    return np.array([numbers.setdefault(row.tobytes(), len(numbers)) for row in rows])


def _compiled(pattern: str) -> tuple[Index, int]:
    """Compile the pattern behind a U+0000; returns the state after it too.

    The library determinises the expression for searches from every position too, which takes
    exponential time on counted repetitions; a first byte that the rows never contain stops that.
    """
    bytes_as_tokens = Vocabulary(_END, {bytes([byte]): [byte] for byte in range(256)})
    try:
        index = Index(f"\\x00(?:{pattern})", bytes_as_tokens)
    except ValueError as error:
        raise SchemaError(
            f"Expected a regular expression without anchors or look-around, got {pattern[:200]!r}: "
            f"{error}.",
            hint="Correct the `pattern` of the column it comes from.",
        ) from error
    start = index.get_next_state(index.get_initial_state(), 0)
    if start is None:
        raise SchemaError(f"Expected a pattern that matches some text, got {pattern[:200]!r}.")
    return index, start


def _edges(index: Index) -> tuple[Integers, Integers, Integers]:
    """All moves by bytes: int64 source states, bytes and target states."""
    transitions = index.get_transitions()
    counts = [len(successors) for successors in transitions.values()]
    total = sum(counts)
    sources = np.repeat(np.fromiter(transitions, np.int64, len(transitions)), counts)
    used = np.fromiter(chain.from_iterable(transitions.values()), np.int64, total)
    targets = np.fromiter(
        chain.from_iterable(successors.values() for successors in transitions.values()),
        np.int64,
        total,
    )
    by_byte = used != _END
    return sources[by_byte], used[by_byte], targets[by_byte]


def _trimmed(
    dense: npt.NDArray[np.int32], final: npt.NDArray[np.bool_], start: int
) -> ByteAutomaton:
    """Keep the states on some path from the start to a final state; merge equal bytes."""
    sources, used = np.nonzero(dense != DEAD)
    targets = dense[sources, used]
    forward = _reached(sources, targets, np.array([start]), len(dense))
    backward = _reached(targets, sources, np.flatnonzero(final), len(dense))
    kept = forward & backward
    if not kept[start]:
        raise SchemaError("Expected a pattern that matches some text; this one matches none.")
    numbers = np.where(kept, np.cumsum(kept) - 1, DEAD).astype(np.int32)
    rows = dense[kept]
    moves = np.where(rows == DEAD, DEAD, numbers[rows]).astype(np.int32)
    classes = _numbered(moves.T)
    _, firsts = np.unique(classes, return_index=True)
    return ByteAutomaton(
        byte_classes=classes.astype(np.uint8),
        moves=np.ascontiguousarray(moves[:, firsts]),
        final=final[kept],
        start=int(numbers[start]),
    )


def _reached(
    sources: npt.NDArray[np.integer],
    targets: npt.NDArray[np.integer],
    roots: npt.NDArray[np.integer],
    num_states: int,
) -> npt.NDArray[np.bool_]:
    """Mark the states that edges lead to from the roots, the roots included."""
    pairs = np.unique(sources * np.int64(num_states) + targets)
    starts, grouped = _grouped(pairs // num_states, pairs % num_states, num_states)
    firsts, successors = starts.tolist(), grouped.tolist()
    reached = np.zeros(num_states, dtype=np.bool_)
    reached[roots] = True
    queue = roots.tolist()
    for state in queue:
        for successor in successors[firsts[state] : firsts[state + 1]]:
            if not reached[successor]:
                reached[successor] = True
                queue.append(successor)
    return reached


def _grouped(
    keys: npt.NDArray[np.integer], values: npt.NDArray[np.integer], num_keys: int
) -> tuple[Integers, npt.NDArray[np.integer]]:
    """Values sorted by key, and where each key's values begin: int64 (keys + 1,)."""
    order = np.argsort(keys, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=num_keys))])
    return starts, values[order]
