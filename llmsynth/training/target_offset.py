"""The shares of a column in drawn rows, set right by one offset a value on its output rows.

The output rows have no bias. Some direction of the final states is nearly the same in all rows;
what is added along it moves the logits of every row alike.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from llmsynth.models.compact import CompactModel
from llmsynth.training.sequences import Shuffler

_BATCH = 1024
_RIDGE = 1e-3
_MOST_OFFSET = 4.0
_NEWTON_STEPS = 30
_REPEATS = 3
"""How often the offset is set: rounding of the output rows moves logits a little."""


@torch.no_grad()
def last_states(
    model: CompactModel, codes: Tensor, place: int, shuffler: Shuffler, dtype: torch.dtype
) -> Tensor:
    """The states that predict `place`; dtype (rows, hidden).

    Args:
        codes: int64 (rows, places); negative where unused. Every row must use `place`.
        shuffler: writes rows in their usual order, so that all other columns come before.
    """
    model.eval()
    generator = torch.Generator().manual_seed(0)
    parts = []
    for batch in torch.split(codes, _BATCH):
        sequences = shuffler(batch, generator)
        hidden = model(sequences.tokens, sequences.places, dtype=dtype)
        parts.append(hidden[torch.arange(len(batch)), sequences.position_of[place]])
    return torch.cat(parts)


@torch.no_grad()
def probabilities(model: CompactModel, states: Tensor, place: int) -> Tensor:
    """float64 (rows, tokens), as the sampler computes them."""
    logits = functional.linear(states, model.place_head(place, states.dtype))
    return logits.double().softmax(1)


@torch.no_grad()
def shift_to_shares(model: CompactModel, states: Tensor, place: int, shares: Tensor) -> None:
    """Move the output rows of `place` so that mean probabilities over `states` equal `shares`.

    Args:
        model: a plain model, changed in place.
        shares: float64 (tokens,); 0 where a value was not learned, which is then left alone.
    """
    inputs = (states.float() * model.norm).double()
    gram = inputs.t() @ inputs / len(inputs)
    ridge = _RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=torch.float64)
    direction = torch.linalg.solve(gram + ridge, inputs.mean(0))
    gains = inputs @ direction
    for _ in range(_REPEATS):
        logits = probabilities(model, states, place).clamp_min(1e-12).log()
        offset = offsets(logits, shares, gains)
        head = model.head_rows(place) + torch.outer(offset, direction).float()
        model.start_head(place, head)


def offsets(logits: Tensor, shares: Tensor, gains: Tensor | None = None) -> Tensor:
    """What to add to the logits so that their mean probabilities equal `shares`; by Newton's steps.

    Args:
        logits: float64 (rows, tokens).
        shares: float64 (tokens,); values of share 0 get no offset.
        gains: float64 (rows,), how much of the offset reaches each row; all of it when omitted.

    Returns:
        float64 (tokens,), at most 4 either way: where classes are told apart with certainty, no
        offset moves their shares.
    """
    gain = torch.ones(len(logits), dtype=torch.float64) if gains is None else gains
    used = shares > 0
    offset = torch.zeros_like(shares)
    for _ in range(_NEWTON_STEPS):
        p = (logits[:, used] + gain[:, None] * offset[used]).softmax(1)
        missing = shares[used] - p.mean(0)
        if missing.abs().max() < 1e-7:
            break
        weighted = p * gain[:, None]
        slope = torch.diag(weighted.mean(0)) - weighted.t() @ p / len(p)
        slope = slope + 1e-6 * torch.eye(len(slope), dtype=torch.float64)
        step = torch.linalg.solve(slope, missing).clamp(-1.0, 1.0)
        offset[used] = (offset[used] + step).clamp(-_MOST_OFFSET, _MOST_OFFSET)
    return offset
