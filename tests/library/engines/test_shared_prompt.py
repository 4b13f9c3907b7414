"""A prompt kept once gives what a prompt copied to every row gives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
    Qwen2Config,
    Qwen3Config,
    SmolLM3Config,
)

from llmsynth.engines import cached_decoding
from llmsynth.engines.cached_decoding import CachedDecoding
from llmsynth.engines.shared_prompt import can_share

_SIZES = {
    "vocab_size": 300,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 128,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}


def _read(config: PretrainedConfig) -> list[Tensor]:
    """Logits of three rows with prefixes of several lengths, one of them dropped on the way."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    rows = torch.arange(3)
    with torch.inference_mode():
        decoding = CachedDecoding(
            model=model, prompt=list(range(3, 60)), prefixes=[[5], [6, 7, 8], []]
        )
        out = [decoding.next_logits(rows)]
        decoding.write(rows, torch.tensor([9, 10, 11]))
        out.append(decoding.next_logits(rows))
        decoding.write(rows, torch.tensor([12, 13, 14]))
        decoding.keep(torch.tensor([0, 2]))
        return [*out, decoding.next_logits(torch.tensor([0, 2]))]


@pytest.mark.parametrize(
    "config",
    [
        LlamaConfig(**_SIZES),
        MistralConfig(**_SIZES, sliding_window=None),
        Qwen2Config(**_SIZES),
        Qwen3Config(**_SIZES),
        SmolLM3Config(**_SIZES),
    ],
    ids=lambda config: config.model_type,
)
def test_every_row_sees_the_shared_prompt(
    config: PretrainedConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert can_share(config)
    kept_once = _read(config)
    monkeypatch.setattr(cached_decoding, "can_share", lambda config: False)
    for mine, copied in zip(kept_once, _read(config), strict=True):
        torch.testing.assert_close(mine, copied, atol=2e-6, rtol=0)


@pytest.mark.parametrize("config", [GPT2Config(), MistralConfig(**_SIZES, sliding_window=16), None])
def test_an_attention_that_does_more_than_a_softmax_of_products_is_left_alone(
    config: PretrainedConfig | None,
) -> None:
    assert not can_share(config)


def test_the_models_own_attention_is_back_after_each_read() -> None:
    config = LlamaConfig(**_SIZES)
    before = AutoModelForCausalLM.from_config(config)
    chosen = before.config._attn_implementation
    with torch.inference_mode():
        decoding = CachedDecoding(model=before.eval(), prompt=[3, 4, 5], prefixes=[[6], [7]])
        decoding.next_logits(torch.arange(2))
    assert before.config._attn_implementation == chosen
