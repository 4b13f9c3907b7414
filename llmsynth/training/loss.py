"""The training loss: at every position, over exactly the tokens that may stand there."""

from __future__ import annotations

from collections.abc import Collection

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
    found = states_by_place(hidden, batch, codes, skipped=context)
    heads = model.place_heads(dtype)
    # Without any place the loss is a zero that still has a gradient.
    unused = hidden.new_zeros((), dtype=torch.float32) if found else hidden[:0].sum().float()
    losses = [unused] * codes.shape[1]
    for place, (used, states) in found.items():
        logits = functional.linear(states, heads[place]).float()
        losses[place] = functional.cross_entropy(logits, codes[used, place], reduction="sum")
    return losses


def states_by_place(
    hidden: Tensor, batch: Sequences, codes: Tensor, *, skipped: Collection[int] = ()
) -> dict[int, tuple[Tensor, Tensor]]:
    """Of every place that is used: bool (rows,), the rows that use it, and their states there.

    One gather for all places, since the gradient of each is as large as all hidden states.

    Args:
        hidden: (rows, length, hidden).
        codes: int64 (rows, places); negative where unused.
        skipped: places to leave out.
    """
    rows, length, size = hidden.shape
    base = torch.arange(rows) * length
    is_used = codes >= 0
    places = [p for p, used in enumerate(is_used.any(0).tolist()) if used and p not in skipped]
    index = [(base + batch.position_of[place])[is_used[:, place]] for place in places]
    states = hidden.reshape(rows * length, size).index_select(0, torch.cat([base[:0], *index]))
    parts = torch.split(states, [len(part) for part in index])
    return {place: (is_used[:, place], part) for place, part in zip(places, parts, strict=True)}
