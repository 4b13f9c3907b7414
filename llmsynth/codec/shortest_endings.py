"""The shortest ways to end a row from a state of its automaton, one for each byte it allows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from llmsynth.codec.byte_automaton import DEAD
from llmsynth.codec.token_automaton import TokenAutomaton


class ShortestEndings:
    """How far each state is from the end of a row, in bytes."""

    def __init__(self, automaton: TokenAutomaton) -> None:
        self._automaton = automaton
        self._distance = _distances(automaton.moves, automaton.final)
        # A byte of each class stands for all of them.
        _, self._bytes = np.unique(automaton.byte_classes, return_index=True)

    def of(self, state: int) -> list[str]:
        """The texts: one for each class of next bytes, and the empty one where a row may end."""
        moves = self._automaton.moves
        texts = [b""] if self._automaton.final[state] else []
        for symbol in np.flatnonzero(moves[state] != DEAD).tolist():
            texts.append(bytes([self._bytes[symbol], *self._way(int(moves[state, symbol]))]))
        return [text.decode(errors="replace") for text in texts]

    def _way(self, state: int) -> list[int]:
        way: list[int] = []
        while self._distance[state]:
            targets = self._automaton.moves[state]
            nearer = (targets != DEAD) & (self._distance[targets] == self._distance[state] - 1)
            symbol = int(nearer.argmax())
            way.append(int(self._bytes[symbol]))
            state = int(targets[symbol])
        return way


def _distances(moves: npt.NDArray[np.int32], final: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Fewest bytes from each state to a final one: int64 (states,)."""
    sources, symbols = np.nonzero(moves != DEAD)
    pairs = np.unique(sources * len(moves) + moves[sources, symbols])
    sources, targets = pairs // len(moves), pairs % len(moves)
    # Every state of an automaton reaches a final one, so this is never left as it is.
    distance = np.where(final, 0, len(moves))
    while len(sources):
        longer = distance[targets] + 1
        improves = longer < distance[sources]
        if not improves.any():
            break
        np.minimum.at(distance, sources[improves], longer[improves])
    return distance
