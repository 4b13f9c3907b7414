"""One masked step: from logits to one allowed token per row, and how much the mask took away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from llmsynth.engines.tensor_automaton import TensorAutomaton
from llmsynth.errors import SamplingError, SettingsError

_CELLS_AT_ONCE = 1 << 22
"""Size of the tables of allowed probabilities that rows are drawn from."""
_WIDE = 1024
"""Rows with this many tokens share a table only with rows of the same set, which is faster."""
_NARROWEST = 4
"""Rows with this many times fewer tokens than their neighbours get a table of their own."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MaskedDraw:
    """What came of one step.

    Attributes:
        tokens: int64 (n,), the drawn tokens, all of them allowed.
        log_kept: float64 (n,), log of the probability that the mask left standing, at the
            sampling temperature and before top-p: log of the sum of p(token) over allowed tokens.
        argmax_allowed: bool (n,), whether the likeliest token of all was allowed.
    """

    tokens: Tensor
    log_kept: Tensor
    argmax_allowed: Tensor


def draw_masked(
    logits: Tensor,
    states: Tensor,
    automaton: TensorAutomaton,
    draws: Tensor,
    *,
    temperature: float = 1.0,
    top_p: float = 1.0,
) -> MaskedDraw:
    """Draw one allowed token per row by inverse cumulative probability in token order.

    Args:
        logits: floating (n, model vocabulary).
        states: int64 (n,), states that allow some token.
        draws: float64 (n,), uniform numbers in [0, 1).
        temperature: logits are divided by it.
        top_p: keep the likeliest allowed tokens that together reach this share (nucleus sampling,
            Holtzman et al., "The curious case of neural text degeneration", ICLR 2020); tokens as
            likely as the last of them are kept too.

    Raises:
        SamplingError: the model gave something other than finite numbers.
        SettingsError: the model's vocabulary is smaller than the tokenizer's.
    """
    if logits.shape[1] < automaton.num_tokens:
        raise SettingsError(
            f"Expected a model with at least the tokenizer's {automaton.num_tokens} tokens, "
            f"got {logits.shape[1]}.",
            hint="Use the tokenizer the model was trained with.",
        )
    logits = logits.float() if temperature == 1 else logits.float() / temperature
    log_total = torch.logsumexp(logits, dim=1).double()
    if not bool(log_total.isfinite().all()):
        raise SamplingError(
            "The model's logits are not finite numbers.",
            hint="Its training diverged: lower the learning rate, or train in float32.",
        )
    tokens = torch.empty_like(states)
    log_kept = torch.empty_like(log_total)
    best_allowed = torch.empty_like(logits[:, 0])
    sets = automaton.allowed_sets[states]
    for rows, share_set in _tables(automaton.counts(states), sets):
        candidates, valid = automaton.allowed(states[rows[:1] if share_set else rows])
        values = _values(logits[rows], candidates, valid)
        best = values.amax(dim=1)
        weights = values.sub_(best[:, None]).exp_().double()
        best_allowed[rows] = best
        log_kept[rows] = best + weights.sum(dim=1).log() - log_total[rows]
        if top_p < 1:
            weights = _nucleus(weights, top_p)
        chosen = _inverse_cumulative(weights, draws[rows])
        tokens[rows] = candidates.expand(len(rows), -1).gather(1, chosen[:, None])[:, 0]
    return MaskedDraw(
        tokens=tokens,
        log_kept=log_kept.clamp(max=0),
        argmax_allowed=best_allowed >= logits.amax(dim=1),
    )


def _tables(counts: Tensor, sets: Tensor) -> Iterator[tuple[Tensor, bool]]:
    """Split rows into tables of about equal width and bounded size.

    Args:
        counts: int64 (n,), tokens each row may choose from.
        sets: int64 (n,), the set they form.

    Yields:
        int64 row numbers, and whether all these rows have one set.
    """
    by_set = sets.argsort(stable=True)
    widths, order = counts[by_set].sort(descending=True, stable=True)
    order = by_set[order]
    first = 0
    while first < len(order):
        width, rest = int(widths[first]), order[first:]
        share_set = width >= _WIDE
        alike = sets[rest] == sets[rest[0]] if share_set else widths[first:] * _NARROWEST >= width
        last = first + max(min(int(alike.sum()), _CELLS_AT_ONCE // width), 1)
        yield order[first:last], share_set
        first = last


def _values(logits: Tensor, candidates: Tensor, valid: Tensor) -> Tensor:
    """The candidates' logits: float32 (rows, widest), minus infinity for padding."""
    if len(candidates) == 1:
        return logits.index_select(1, candidates[0])
    return logits.gather(1, candidates).masked_fill_(~valid, -torch.inf)


def _nucleus(weights: Tensor, top_p: float) -> Tensor:
    """Set weights outside the nucleus of each row to zero."""
    totals = weights.sum(dim=1, keepdim=True)
    # The tokens below this sum to less than 1 - top_p, so the nucleus is among the others.
    low = totals * (1 - top_p) / weights.shape[1]
    largest = int((weights >= low).sum(dim=1).max())
    ranked = weights.topk(largest, dim=1).values
    before = ranked.cumsum(dim=1) - ranked
    last = (before < top_p * totals).sum(dim=1, keepdim=True) - 1
    return weights.masked_fill(weights < ranked.gather(1, last), 0)


def _inverse_cumulative(weights: Tensor, draws: Tensor) -> Tensor:
    """Index of the first cumulative weight above draw x total: int64 (n,)."""
    cumulative = weights.cumsum(dim=1)
    wanted = draws[:, None] * cumulative[:, -1:]
    # A draw next to 1 may round up to the total; it belongs to the last token with a weight.
    below = torch.nextafter(cumulative[:, -1:], torch.zeros_like(wanted))
    return torch.searchsorted(cumulative, wanted.minimum(below), right=True)[:, 0]
