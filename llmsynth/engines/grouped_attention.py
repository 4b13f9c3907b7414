"""Attention of one new token a row without a copy of keys and values for every query head.

Where several query heads share a key head (grouped-query attention, Ainslie et al. 2023,
arXiv 2305.13245), transformers repeats keys and values for each of them at every token. While a
single token is decoded nothing is causal among the queries, so the heads of a group can stand in
the place of successive tokens: the same sums over a third of the bytes, and as a matrix product.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

_NAME = "llmsynth_grouped"


@contextmanager
def grouped_attention(model: object) -> Iterator[None]:
    """Within, a model that uses torch's own attention decodes group by group; others stay."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    if not isinstance(base, PreTrainedModel) or base.config._attn_implementation != "sdpa":
        yield
        return
    base.set_attn_implementation(_NAME)
    try:
        yield
    finally:
        base.set_attn_implementation("sdpa")


def _forward(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    position_bias: Tensor | None = None,
    **kwargs: object,
) -> tuple[Tensor, None]:
    """transformers' signature; returns (rows, tokens, heads, head width)."""
    rows, heads, tokens, width = query.shape
    groups = key.shape[1]
    mask_is_shared = attention_mask is None or attention_mask.shape[1] == 1
    if tokens > 1 or heads == groups or position_bias is not None or not mask_is_shared:
        output, _ = sdpa_attention_forward(
            module,
            query,
            key,
            value,
            attention_mask,
            dropout=dropout,
            scaling=scaling,
            is_causal=is_causal,
            position_bias=position_bias,
            **kwargs,  # type: ignore[arg-type]
        )
        return output, None
    output = scaled_dot_product_attention(
        query.reshape(rows, groups, heads // groups, width),
        key,
        value,
        attn_mask=attention_mask,
        dropout_p=dropout,
        scale=scaling,
    )
    return output.reshape(rows, 1, heads, -1), None


AttentionInterface.register(_NAME, _forward)
AttentionMaskInterface.register(_NAME, sdpa_mask)
