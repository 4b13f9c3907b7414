"""The compact model under Llama names: transformers computes the same numbers."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from llmsynth.errors import BundleError
from llmsynth.models.compact import CompactModel, CompactShape
from llmsynth.models.llama_checkpoint import from_llama, llama_config, to_llama

_SHAPE = CompactShape(
    hidden_size=32, num_layers=3, num_heads=2, intermediate_size=56, place_sizes=(3, 4, 5)
)


@pytest.fixture
def model() -> CompactModel:
    torch.manual_seed(1)
    model = CompactModel(_SHAPE)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return model


def _batch() -> tuple[Tensor, Tensor]:
    tokens = torch.tensor([[12, 0, 5, 8], [12, 9, 2, 3]])
    return tokens, torch.tensor([[0, 1, 2, 2], [2, 0, 1, 0]])


def test_transformers_computes_the_same_states_and_logits(model: CompactModel) -> None:
    llama = LlamaForCausalLM(LlamaConfig(**llama_config(_SHAPE))).eval()
    missing, unexpected = llama.load_state_dict(to_llama(model), strict=False)
    assert (missing, unexpected) == ([], [])
    tokens, places = _batch()
    inputs = llama.model.embed_tokens(tokens)
    inputs = inputs + llama.model.embed_tokens(places + _SHAPE.first_place_token)
    with torch.no_grad():
        theirs = llama(inputs_embeds=inputs, position_ids=torch.zeros_like(tokens)).logits
        states = model(tokens, places)
    ours = torch.cat([states @ model.place_head(p, torch.float32).t() for p in range(3)], -1)
    torch.testing.assert_close(ours, theirs[..., : _SHAPE.num_tokens], atol=1e-4, rtol=1e-4)
    assert torch.equal(
        theirs[..., _SHAPE.num_tokens :], torch.zeros_like(theirs[..., _SHAPE.num_tokens :])
    )


def test_a_model_comes_back_identical(model: CompactModel) -> None:
    back = from_llama(_SHAPE, to_llama(model))
    for ours, theirs in zip(model.parameters(), back.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    tokens, places = _batch()
    assert torch.equal(model(tokens, places), back(tokens, places))


def test_a_missing_tensor_is_named(model: CompactModel) -> None:
    tensors = to_llama(model)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    with pytest.raises(BundleError, match=r"layers\.1\.mlp\.up_proj.*found nothing"):
        from_llama(_SHAPE, tensors)


def test_a_tensor_of_another_shape_is_named(model: CompactModel) -> None:
    tensors = to_llama(model) | {"model.norm.weight": torch.ones(31)}
    with pytest.raises(BundleError, match=r"model\.norm\.weight of shape \(32,\).*\(31,\)"):
        from_llama(_SHAPE, tensors)


def test_no_tensor_shares_memory_with_another(model: CompactModel) -> None:
    tensors = to_llama(model)
    spans = sorted((t.data_ptr(), t.data_ptr() + t.numel() * 4) for t in tensors.values())
    assert all(left[1] <= right[0] for left, right in pairwise(spans))
