"""The training loss: at every position, over exactly the tokens that may stand there."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from llmsynth.models.compact import CompactModel
from llmsynth.training.sequences import Sequences


def place_losses(
    model: CompactModel,
    batch: Sequences,
    codes: Tensor,
    *,
    dtype: torch.dtype,
    context: frozenset[int] = frozenset(),
) -> list[Tensor]:
    """Summed negative log-likelihood (nats) of the tokens at each place.

    Each position's softmax runs over its own place only, so hidden states are gathered by place and
    meet just that place's output rows: the head costs one small product a place.

    Args:
        codes: int64 (rows, places), the tokens to predict; negative where unused.
        context: places that are only ever given; their loss is not computed.

    Returns:
        float32 scalars, one per place; zero where no row of the batch uses the place, and for
        context.
    """
    hidden = model(batch.tokens, batch.places, dtype=dtype)
    rows, length, size = hidden.shape
    flat = hidden.reshape(rows * length, size)
    base = torch.arange(rows) * length
    used = codes >= 0
    all_used = used.all(0).tolist()
    losses = []
    for place, every in enumerate(all_used):
        if place in context:
            losses.append(hidden.new_zeros((), dtype=torch.float32))
            continue
        index = base + batch.position_of[place]
        wanted = codes[:, place]
        if not every:
            here = used[:, place]
            index, wanted = index[here], wanted[here]
        logits = functional.linear(flat[index], model.place_head(place, dtype)).float()
        losses.append(functional.cross_entropy(logits, wanted, reduction="sum"))
    return losses
