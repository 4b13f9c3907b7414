"""A token automaton on a device: a batch of rows asks and advances with tensor operations alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from llmsynth.codec.byte_automaton import DEAD
from llmsynth.codec.token_automaton import TokenAutomaton


@dataclass(frozen=True, kw_only=True, eq=False)
class TensorAutomaton:
    """The arrays of a `TokenAutomaton` laid out for batches.

    Attributes:
        moves: int64 (states + 1, classes + 2). Two columns are added: one that stays, for the
            unused ends of short tokens, and one that dies, for tokens that spell nothing; and one
            row, `dead`, that is never left.
        token_classes: int16 (tokens, longest allowed token), each token's byte classes.
        final: bool (states + 1,), whether the tokens so far spell a whole row.
        ended: bool (states + 1,), final states that nothing but the end can follow.
        allowed_sets: int64 (states + 1,), each state's set of tokens; `dead` has the empty one.
        set_starts: int64 (sets + 1,), where each set begins in `set_tokens`.
        set_tokens: int64, token ids, ascending within a set.
        start: the state before the first token.
        done: the state after the end-of-text token.
        dead: the state after a token that was not allowed.
        eos_token_id: the end-of-text token.
    """

    moves: Tensor
    token_classes: Tensor
    final: Tensor
    ended: Tensor
    allowed_sets: Tensor
    set_starts: Tensor
    set_tokens: Tensor
    start: int
    done: int
    dead: int
    eos_token_id: int

    @classmethod
    def on(cls, device: torch.device | str, automaton: TokenAutomaton) -> TensorAutomaton:
        """Lay an automaton out on a device."""
        dead = automaton.num_states
        allowed_sets = np.append(automaton.allowed_sets, automaton.allowed_sets[automaton.done])

        def put(array: np.typing.NDArray[np.generic]) -> Tensor:
            return torch.tensor(array, device=device)

        return cls(
            moves=put(_total_moves(automaton.moves)),
            token_classes=put(_token_classes(automaton)),
            final=put(np.append(automaton.final, False)),
            ended=put(np.append(automaton.ended, False)),
            allowed_sets=put(allowed_sets.astype(np.int64)),
            set_starts=put(automaton.set_starts),
            set_tokens=put(automaton.set_tokens.astype(np.int64)),
            start=automaton.start,
            done=automaton.done,
            dead=dead,
            eos_token_id=automaton.eos_token_id,
        )

    @property
    def num_tokens(self) -> int:
        """The tokenizer's vocabulary size: one more than its largest token id."""
        return len(self.token_classes)

    def counts(self, states: Tensor) -> Tensor:
        """How many tokens may follow: int64 (n,) for int64 states (n,)."""
        chosen = self.allowed_sets[states]
        return self.set_starts[chosen + 1] - self.set_starts[chosen]

    def allowed(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """The tokens that may follow, one row per state, padded at the right.

        Returns:
            int64 (n, widest) token ids, and bool (n, widest), true where not padding.
        """
        counts = self.counts(states)
        places = torch.arange(int(counts.max()), device=states.device)
        valid = places < counts[:, None]
        at = self.set_starts[self.allowed_sets[states]][:, None] + places
        return self.set_tokens[at.where(valid, 0)], valid

    def mask(self, states: Tensor) -> Tensor:
        """Which tokens may follow: bool (n, tokens) for int64 states (n,)."""
        mask = torch.zeros(len(states), self.num_tokens, dtype=torch.bool, device=states.device)
        tokens, valid = self.allowed(states)
        mask[valid.nonzero()[:, 0], tokens[valid]] = True
        return mask

    def advance(self, states: Tensor, tokens: Tensor) -> Tensor:
        """The states after one token each; `dead` where it was not allowed.

        Args:
            states: int64 (n,).
            tokens: int64 (n,).
        """
        classes = self.token_classes[tokens].long()
        after = states
        for place in range(classes.shape[1]):
            after = self.moves[after, classes[:, place]]
        ends = (tokens == self.eos_token_id) & self.final[states] & (states != self.done)
        return after.where(~ends, self.done)


def _total_moves(moves: np.typing.NDArray[np.int32]) -> np.typing.NDArray[np.int64]:
    num_states, num_classes = moves.shape
    total = np.full((num_states + 1, num_classes + 2), num_states, dtype=np.int64)
    total[:-1, :num_classes] = np.where(moves == DEAD, num_states, moves)
    total[:, num_classes] = np.arange(num_states + 1)
    return total


def _token_classes(automaton: TokenAutomaton) -> np.typing.NDArray[np.int16]:
    """Spell every token in byte classes, padded with the class that stays.

    A token longer than any allowed one cannot be walked from any state, so it is spelled as dying.
    """
    stays = automaton.moves.shape[1]
    lengths = np.diff(automaton.token_starts)
    width = max(int(lengths[automaton.set_tokens].max()), 1)
    spelled = np.full((automaton.num_tokens, width), stays, dtype=np.int16)
    spelled[(lengths == 0) | (lengths > width), 0] = stays + 1
    fits = np.where(lengths <= width, lengths, 0)
    rows = np.repeat(np.arange(automaton.num_tokens), fits)
    places = np.arange(len(rows)) - np.repeat(np.cumsum(fits) - fits, fits)
    letters = automaton.token_bytes[np.repeat(automaton.token_starts[:-1], fits) + places]
    spelled[rows, places] = automaton.byte_classes[letters]
    return spelled
