"""Attention of many rows to one prompt that is kept once, not once a row.

Rows behind a long prompt spend most of their time copying the prompt's keys and values, one copy a
row, if the cache is repeated for them. Here a query attends to two parts, the shared prompt and the
row's own tokens, under one softmax; what comes out is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, PretrainedConfig
from transformers.masking_utils import eager_mask

_NAME = "llmsynth_shared_prompt"
_KNOWN = ("llama", "mistral", "qwen2", "qwen3", "smollm3")
"""Architectures whose attention is known to be no more than scaled dot products and a mask."""

LayerKeys = tuple[Tensor, Tensor]
"""Keys and values of one layer: floating (heads, prompt tokens, head size)."""


class _Layer(Protocol):
    keys: Tensor
    values: Tensor


class SharedPrompt:
    """A prompt's keys and values in every layer."""

    def __init__(self, layers: Sequence[_Layer]) -> None:
        self.layers: list[LayerKeys] = [(layer.keys[0], layer.values[0]) for layer in layers]


def can_share(config: object) -> bool:
    """Whether a model of this configuration can attend to a shared prompt."""
    if getattr(config, "model_type", None) not in _KNOWN:
        return False
    slides = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    return not slides


@contextmanager
def attending_to_it(config: PretrainedConfig) -> Iterator[None]:
    """Let the model of this configuration take `shared_prompt` as an input."""
    before = config._attn_implementation
    config._attn_implementation = _NAME
    try:
        yield
    finally:
        config._attn_implementation = before


def _attended(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    *,
    scaling: float,
    shared_prompt: SharedPrompt,
    **_: object,
) -> tuple[Tensor, None]:
    """Queries floating (rows, heads, q, d) over the prompt, and keys (rows, key heads, k, d)."""
    rows, heads, length, size = query.shape
    groups = key.shape[1]
    prompt_keys, prompt_values = shared_prompt.layers[int(module.layer_idx)]  # type: ignore[arg-type]
    query = query.reshape(rows, groups, -1, size)
    own = query @ key.transpose(-1, -2)
    # The mask is (rows, 1, q, k); a key head serves several query heads, each with q queries.
    own = own.view(rows, heads, length, -1) * scaling + attention_mask
    # One matrix product a key head, whatever the number of rows.
    wide = query.transpose(0, 1).reshape(groups, -1, size)
    told = (wide @ prompt_keys.transpose(-1, -2) * scaling).view(
        groups, rows, -1, prompt_keys.shape[1]
    )
    told = told.transpose(0, 1).reshape(rows, heads, length, -1)
    weights = torch.cat([told, own], dim=-1).softmax(dim=-1, dtype=torch.float32).to(query.dtype)
    split = prompt_keys.shape[1]
    from_own = weights[..., split:].reshape(rows, groups, -1, key.shape[2]) @ value
    from_prompt = weights[..., :split].reshape(rows, groups, -1, split).transpose(0, 1)
    from_prompt = from_prompt.reshape(groups, -1, split) @ prompt_values
    from_prompt = from_prompt.view(groups, rows, -1, size).transpose(0, 1)
    out = (from_own + from_prompt).view(rows, heads, length, size)
    return out.transpose(1, 2).contiguous(), None


AttentionInterface.register(_NAME, _attended)
AttentionMaskInterface.register(_NAME, eager_mask)
