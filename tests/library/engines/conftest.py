"""Tiny language models on disk, of random weights, that every engine can load."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from llmsynth import Synthesizer
from llmsynth.codec.token_automaton import TokenAutomaton
from llmsynth.synthesizers.text_settings import TextSettings
from llmsynth.training.tuning_settings import TuningSettings

CHARACTER = r'(?:[^"\\\x00-\x1f\x7f]|\\["\\/bfnrt])'


@pytest.fixture(scope="session")
def row_pattern() -> str:
    return rf'age=[0-9]{{1,3}}; sex=(?:Male|Female); note=(?:"{CHARACTER}{{0,8}}"|null)\n'


@pytest.fixture(scope="session")
def after_age() -> str:
    return rf'sex=(?:Male|Female); note=(?:"{CHARACTER}{{0,8}}"|null)\n'


@pytest.fixture(scope="session")
def bpe_tokenizer() -> PreTrainedTokenizerFast:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    corpus = [
        f"age={age}; sex={sex}; note={note}\n"
        for age in range(10, 99)
        for sex in ("Male", "Female")
        for note in ("null", '"free \\"text\\""', '"größe 日本語"', '"a\\nb"')
    ]
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<end>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(corpus, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<end>")


@pytest.fixture(scope="session")
def row_automaton(bpe_tokenizer: PreTrainedTokenizerFast, row_pattern: str) -> TokenAutomaton:
    return TokenAutomaton.compile(row_pattern, bpe_tokenizer)


@pytest.fixture(scope="session")
def vllm_here() -> None:
    """CI sets LLMSYNTH_REQUIRE_VLLM, so that there its absence is a failure."""
    if find_spec("vllm") is None:
        if os.environ.get("LLMSYNTH_REQUIRE_VLLM"):
            pytest.fail("vLLM is not installed, and LLMSYNTH_REQUIRE_VLLM says that it must be.")
        pytest.skip("vLLM is not installed.")


@pytest.fixture(scope="session")
def random_llama() -> Callable[[int, int], LlamaForCausalLM]:
    """Makes a model from its vocabulary size and end-of-text token."""
    return _random_llama


def _random_llama(vocab_size: int, eos_token_id: int) -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        max_position_embeddings=256,
        initializer_range=0.2,
        bos_token_id=eos_token_id,
        eos_token_id=eos_token_id,
    )
    return LlamaForCausalLM(config).eval()


@pytest.fixture(scope="session")
def bpe_model_dir(
    bpe_tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("bpe_llama")
    _random_llama(len(bpe_tokenizer), bpe_tokenizer.eos_token_id).save_pretrained(folder)
    bpe_tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def adapter_dirs(bpe_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three adapters that change what the model writes beyond recognition."""
    from peft import LoraConfig, get_peft_model

    folders = []
    for number in (1, 2, 3):
        config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
        model = get_peft_model(LlamaForCausalLM.from_pretrained(bpe_model_dir), config)
        torch.manual_seed(number)
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.5)
        folder = tmp_path_factory.mktemp(f"adapter{number}")
        model.save_pretrained(folder)
        folders.append(folder)
    return folders


@pytest.fixture(scope="session")
def fitted_notes(bpe_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved synthesizer of a table with a typed column and a text."""
    words = ("tired", "well again", "in some pain")
    jobs = ["baker", "clerk"] * 30
    notes = [f"Day {day}: the {job} feels {words[day % 3]}." for day, job in enumerate(jobs)]
    # Servers are not told how long a text may be, and this model writes at random: some are long.
    notes[:6] = [f"{note} " * 6 for note in notes[:6]]
    text = TextSettings(tuning=TuningSettings(rank=4, learning_rate=1e-2))
    synthesizer = Synthesizer(model=str(bpe_model_dir), text=text, max_epochs=2, num_layers=1)
    synthesizer.fit(pd.DataFrame({"job": jobs, "note": notes}))
    return synthesizer.save(tmp_path_factory.mktemp("notes"))
