"""Decoding from grown buffers and grouped heads gives what transformers' own way gives."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    DynamicCache,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
)
from transformers.cache_utils import DynamicSlidingWindowLayer

from llmsynth.engines.cached_decoding import CachedDecoding
from llmsynth.engines.grouped_attention import grouped_attention
from llmsynth.engines.growing_cache import GrowingLayer, with_room

SHAPE = {
    "vocab_size": 97,
    "hidden_size": 48,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "initializer_range": 0.4,
}


def llama() -> PreTrainedModel:
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**SHAPE)).double().eval()


def drawn(model: PreTrainedModel, prefixes: list[list[int]], steps: int) -> torch.Tensor:
    """The logits of greedy steps, one row dropped on the way."""
    decoding = CachedDecoding(model=model, prompt=[1], prefixes=prefixes)
    rows, told = torch.arange(len(prefixes)), []
    for step in range(steps):
        if step == steps // 2:
            rows = rows[1:]
            decoding.keep(rows)
        logits = decoding.next_logits(rows)
        told.append(logits[-2:])
        decoding.write(rows, logits.argmax(dim=1))
    return torch.stack(told)


@torch.inference_mode()
def whole(model: PreTrainedModel, prefix: list[int], steps: int) -> torch.Tensor:
    """The same without any cache: everything is read anew at every step."""
    ids, told = [1, *prefix], []
    for _ in range(steps):
        logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1]
        told.append(logits)
        ids.append(int(logits.argmax()))
    return torch.stack(told)


@pytest.mark.parametrize(
    "prefixes", [[[5], [6], [7]], [[5, 8, 9], [6], []]], ids=["even", "uneven"]
)
@torch.inference_mode()
def test_grouped_decoding_in_grown_buffers_equals_reading_everything_anew(
    prefixes: list[list[int]],
) -> None:
    model = llama()
    with grouped_attention(model):
        logits = drawn(model, prefixes, steps=80)
    for place, prefix in enumerate(prefixes[1:]):
        expected = whole(model, prefix, 80)
        torch.testing.assert_close(logits[:, place], expected, rtol=1e-9, atol=1e-9)


def test_a_model_gets_its_attention_back() -> None:
    model = llama()
    with grouped_attention(model):
        assert model.config._attn_implementation != "sdpa"
    assert model.config._attn_implementation == "sdpa"


def test_another_attention_than_torchs_own_stays() -> None:
    model = llama()
    model.set_attn_implementation("eager")
    with grouped_attention(model):
        assert model.config._attn_implementation == "eager"


def test_buffers_are_replaced_a_few_times_and_not_at_every_token() -> None:
    cache, states = DynamicCache(), torch.randn(2, 1, 1, 4)
    cache.update(states, states, 0)
    with_room(cache)
    places = set()
    for _ in range(500):
        keys, values = cache.update(states, states, 0)
        places.add(keys.data_ptr())
    assert keys.shape == values.shape == (2, 1, 501, 4)
    assert cache.get_seq_length() == 501
    assert len(places) <= 7


@torch.inference_mode()
def test_layers_that_forget_are_left_as_they_are() -> None:
    torch.manual_seed(0)
    model = MistralForCausalLM(MistralConfig(**SHAPE, sliding_window=4)).double().eval()
    decoding = CachedDecoding(model=model, prompt=[1], prefixes=[[5], [6]])
    decoding.next_logits(torch.arange(2))
    assert {type(layer) for layer in decoding._cache.layers} == {DynamicSlidingWindowLayer}


def test_a_layer_that_was_never_read_is_left_as_it_is() -> None:
    cache = DynamicCache(config=LlamaConfig(**SHAPE))
    with_room(cache)
    assert not any(isinstance(layer, GrowingLayer) for layer in cache.layers)
