"""All tokens of a vocabulary as one tree, and which of them an automaton can walk through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from llmsynth.codec.byte_automaton import DEAD

_OWNERS_AT_ONCE = 256

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenTrie:
    """Nodes are beginnings of tokens, spelled in byte classes; node 0 is the empty one.

    Attributes:
        child_starts: int64 (nodes + 1,), where each node's children begin.
        child_classes: int64 (nodes - 1,), the byte class on the edge to each child.
        child_nodes: int64 (nodes - 1,), the children.
        token_starts: int64 (nodes + 1,), where each node's tokens begin.
        tokens: int64, the tokens that end at each node.
    """

    child_starts: Integers
    child_classes: Integers
    child_nodes: Integers
    token_starts: Integers
    tokens: Integers

    @classmethod
    def build(
        cls, byte_classes: npt.NDArray[np.uint8], pieces: Sequence[bytes | None]
    ) -> TokenTrie:
        """Build the tree of all tokens that have bytes."""
        translation = byte_classes.tobytes()
        children: dict[tuple[int, int], int] = {}
        ends: list[tuple[int, int]] = []
        for token, piece in enumerate(pieces):
            if piece is None:
                continue
            node = 0
            for byte_class in piece.translate(translation):
                node = children.setdefault((node, byte_class), len(children) + 1)
            ends.append((node, token))
        edges = np.array([(*edge, child) for edge, child in children.items()], dtype=np.int64)
        edges = edges[np.argsort(edges[:, 0], kind="stable")]
        tokens = np.array(sorted(ends), dtype=np.int64)
        nodes = np.arange(len(children) + 2)
        return cls(
            child_starts=np.searchsorted(edges[:, 0], nodes),
            child_classes=edges[:, 1],
            child_nodes=edges[:, 2],
            token_starts=np.searchsorted(tokens[:, 0], nodes),
            tokens=tokens[:, 1],
        )

    def walked(
        self, moves: npt.NDArray[np.int32], states: npt.NDArray[np.integer]
    ) -> tuple[Integers, Integers]:
        """Every (owner, token) such that the token can be walked from `states[owner]`.

        Args:
            moves: int32 (states, classes), DEAD where a class leads nowhere.
            states: (n,), the states to walk from.

        Returns:
            int64 (pairs,) twice: owners are indices into `states`.
        """
        found = [
            pair
            for first in range(0, len(states), _OWNERS_AT_ONCE)
            for pair in self._walked_levels(moves, states, first)
        ]
        owners, tokens = zip(*found, strict=True)
        return np.concatenate(owners), np.concatenate(tokens)

    def _walked_levels(
        self, moves: npt.NDArray[np.int32], states: npt.NDArray[np.integer], first: int
    ) -> list[tuple[Integers, Integers]]:
        owners = np.arange(first, min(first + _OWNERS_AT_ONCE, len(states)), dtype=np.int64)
        at = states[owners]
        nodes = np.zeros(len(owners), dtype=np.int64)
        found = []
        while len(owners):
            sources, places = _spread(self.token_starts, nodes)
            found.append((owners[sources], self.tokens[places]))
            sources, places = _spread(self.child_starts, nodes)
            at = moves[at[sources], self.child_classes[places]]
            alive = at != DEAD
            at, owners, nodes = at[alive], owners[sources[alive]], self.child_nodes[places[alive]]
        return found


def _spread(starts: Integers, nodes: Integers) -> tuple[Integers, Integers]:
    """For each element of each node's range: the node's index in `nodes`, and its place."""
    counts = starts[nodes + 1] - starts[nodes]
    sources = np.repeat(np.arange(len(nodes)), counts)
    before = np.cumsum(counts) - counts
    places = np.arange(len(sources)) - before[sources] + starts[nodes][sources]
    return sources, places
