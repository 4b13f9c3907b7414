"""Picks one token a row from weights and a uniform number, and cuts away unlikely tokens."""

from __future__ import annotations

import torch
from torch import Tensor


def invert(cumulative: Tensor, draws: Tensor) -> Tensor:
    """The first token whose cumulative weight exceeds draw * total.

    Args:
        cumulative: float (rows, tokens), rising along each row; need not end at 1.
        draws: float64 (rows,) in [0, 1).

    Returns:
        int64 (rows,); never a token of weight 0.
    """
    total = cumulative[:, -1:]
    wanted = (draws[:, None] * total).to(cumulative.dtype)
    # A draw next to 1 may round up to the total; it then belongs to the last token with weight.
    wanted = torch.minimum(wanted, torch.nextafter(total, torch.zeros_like(total)))
    tokens = torch.searchsorted(cumulative, wanted, right=True)[:, 0]
    return tokens.clamp_(max=cumulative.shape[1] - 1)


def nucleus(logits: Tensor, top_p: float) -> Tensor:
    """Keep the likeliest tokens that together reach `top_p` (Holtzman et al. 2020, section 3.1)."""
    ordered, index = logits.sort(dim=1, descending=True)
    shares = ordered.softmax(1)
    beyond = (shares.cumsum(1) - shares) >= top_p
    return logits.masked_fill(torch.zeros_like(beyond).scatter(1, index, beyond), -torch.inf)
