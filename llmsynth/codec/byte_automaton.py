"""A regular expression as a deterministic automaton over bytes, and which of its states look alike.

The expression is compiled by outlines_core; this module knows nothing of tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from outlines_core import Index, Vocabulary

from llmsynth.errors import SchemaError

DEAD = -1
"""Where a byte leads that no matching text continues with."""

_END = 256
_MIXER = np.uint64(0x9E3779B97F4A7C15)


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
        transitions, final_states, start = _transitions(pattern)
        numbers = {state: number for number, state in enumerate(sorted(transitions))}
        dense = np.full((len(numbers), 256), DEAD, dtype=np.int32)
        for state, successors in transitions.items():
            places = [byte for byte in successors if byte != _END]
            dense[numbers[state], places] = [numbers[successors[byte]] for byte in places]
        final = np.zeros(len(numbers), dtype=np.bool_)
        final[[numbers[state] for state in final_states if state in numbers]] = True
        return _trimmed(dense, final, numbers[start], pattern)

    def used_bytes(self) -> frozenset[int]:
        """The bytes that some matching text contains."""
        alive = (self.moves != DEAD).any(axis=0)
        return frozenset(np.flatnonzero(alive[self.byte_classes]).tolist())

    def lookalikes(self, depth: int) -> npt.NDArray[np.int64]:
        """Number the states so that two with one number accept the same strings of `depth` bytes.

        Strings up to that length, that is, as beginnings of what may follow. Classes are told
        apart by 64-bit hashes, then checked move by move.

        Returns:
            int64 (states,), numbers from 0 without gaps.
        """
        alive = self.moves != DEAD
        kinds = np.zeros(len(self.moves), dtype=np.int64)
        for _ in range(depth):
            seen = np.where(alive, kinds[self.moves] + 1, 0)
            finer = _row_kinds(seen)
            if finer.max() == kinds.max():
                break
            kinds = finer
        return kinds


def _transitions(pattern: str) -> tuple[Mapping[int, Mapping[int, int]], set[int], int]:
    """Compile the pattern behind a U+0000 and return what follows it.

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
    transitions = index.get_transitions()
    start = index.get_next_state(index.get_initial_state(), 0)
    if start is None:
        raise SchemaError(f"Expected a pattern that matches some text, got {pattern[:200]!r}.")
    final_states = set(index.get_final_states())
    # A final state without successors may be missing among the transitions.
    return {**{state: {} for state in final_states}, **transitions}, final_states, start


def _trimmed(
    dense: npt.NDArray[np.int32], final: npt.NDArray[np.bool_], start: int, pattern: str
) -> ByteAutomaton:
    """Keep the states on some path from the start to a final state; merge equal bytes."""
    sources, used = np.nonzero(dense != DEAD)
    targets = dense[sources, used]
    forward = _reached(sources, targets, np.array([start]), len(dense))
    backward = _reached(targets, sources, np.flatnonzero(final), len(dense))
    kept = forward & backward
    if not kept[start]:
        raise SchemaError(f"Expected a pattern that matches some text, got {pattern[:200]!r}.")
    numbers = np.where(kept, np.cumsum(kept) - 1, DEAD).astype(np.int32)
    rows = dense[kept]
    moves = np.where(rows == DEAD, DEAD, numbers[rows]).astype(np.int32)
    columns: dict[bytes, int] = {}
    classes = [columns.setdefault(moves[:, byte].tobytes(), len(columns)) for byte in range(256)]
    _, firsts = np.unique(classes, return_index=True)
    return ByteAutomaton(
        byte_classes=np.array(classes, dtype=np.uint8),
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
    pairs = np.unique(np.stack([sources, targets]), axis=1)
    firsts = np.searchsorted(pairs[0], np.arange(num_states + 1)).tolist()
    successors = pairs[1].tolist()
    reached = np.zeros(num_states, dtype=np.bool_)
    reached[roots] = True
    queue = roots.tolist()
    for state in queue:
        for successor in successors[firsts[state] : firsts[state + 1]]:
            if not reached[successor]:
                reached[successor] = True
                queue.append(successor)
    return reached


def _row_kinds(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Number equal rows alike."""
    weights = np.random.default_rng(0).integers(0, 2**63, rows.shape[1], dtype=np.uint64) | 1
    mixed = (rows.astype(np.uint64) + np.uint64(1)) * _MIXER
    mixed ^= mixed >> np.uint64(29)
    hashes = (mixed * weights).sum(axis=1, dtype=np.uint64)
    _, firsts, kinds = np.unique(hashes, return_index=True, return_inverse=True)
    if not np.array_equal(rows, rows[firsts][kinds]):  # pragma: no cover - once in 2**64
        _, kinds = np.unique(rows, axis=0, return_inverse=True)
    return kinds.reshape(-1)
