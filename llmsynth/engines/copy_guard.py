"""Keeps rows that are being drawn from repeating long spans of the training texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from llmsynth.codec.span_hashes import SpanHashes
from llmsynth.engines.masked_draw import MaskedDraw, draw_masked
from llmsynth.engines.tensor_automaton import TensorAutomaton


@dataclass
class GuardCounts:
    """What a guard did."""

    blocked: int = 0
    """Draws that would have completed a span of the training texts and were drawn again."""
    rows: int = 0
    """Rows in which that happened at least once."""
    unavoidable: int = 0
    """Draws let through because every token the row language allows completes one."""


class CopyGuard:
    """Redraws each token that would complete a known span, from the tokens that would not.

    It watches tokens: a text spelled by tokens its tokenizer would not choose gets past it, which
    the report's `copied_spans` shows, counted on the finished texts.
    """

    def __init__(self, spans: SpanHashes) -> None:
        self.spans = spans
        self.counts = GuardCounts()

    def watching(self, prefixes: Sequence[Sequence[int]]) -> WatchedRows:
        """Begin a batch of rows with these prefixes."""
        return WatchedRows(self, prefixes)


class WatchedRows:
    """The tokens of one batch's rows as far as the guard needs them."""

    def __init__(self, guard: CopyGuard, prefixes: Sequence[Sequence[int]]) -> None:
        self._guard, self._spans = guard, guard.spans
        self._tails = [list(prefix) for prefix in prefixes]
        self._touched: set[int] = set()

    def checked(
        self,
        rows: Tensor,
        draw: MaskedDraw,
        *,
        logits: Tensor,
        states: Tensor,
        automaton: TensorAutomaton,
        draws: Tensor,
        temperature: float,
        top_p: float,
    ) -> MaskedDraw:
        """The draw with every token replaced that would complete a span; notes what comes out.

        Args:
            rows: int64 (k,), which rows of the batch; the other arguments are theirs.
            draws: float64 (k,), fresh uniform numbers for the second draw.
        """
        tokens = draw.tokens.tolist()
        hits = [at for at, row in enumerate(rows.tolist()) if self._completes(row, tokens[at])]
        for at in hits:
            again = self._redrawn(
                int(rows[at]), logits[at], states[at : at + 1], automaton, draws[at : at + 1],
                temperature=temperature, top_p=top_p,
            )  # fmt: skip
            tokens[at] = tokens[at] if again is None else again
        for row, token in zip(rows.tolist(), tokens, strict=True):
            self._tails[row].append(token)
        return draw if not hits else replace(draw, tokens=torch.tensor(tokens).to(draw.tokens))

    def _completes(self, row: int, token: int) -> bool:
        return bool(self._spans.completed(self._tails[row], np.array([token]))[0])

    def _redrawn(
        self,
        row: int,
        logits: Tensor,
        state: Tensor,
        automaton: TensorAutomaton,
        draws: Tensor,
        *,
        temperature: float,
        top_p: float,
    ) -> int | None:
        counts = self._guard.counts
        allowed, _ = automaton.allowed(state)
        candidates = allowed[0].cpu().numpy()
        blocked = self._spans.completed(self._tails[row], candidates)
        if blocked.all():
            counts.unavoidable += 1
            return None
        counts.blocked += 1
        counts.rows += row not in self._touched
        self._touched.add(row)
        open_logits = logits.float().clone()
        open_logits[torch.from_numpy(candidates[blocked]).to(logits.device)] = -torch.inf
        again = draw_masked(
            open_logits[None], state, automaton, draws, temperature=temperature, top_p=top_p
        )
        return int(again.tokens[0])
