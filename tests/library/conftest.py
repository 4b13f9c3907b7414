"""A tiny random-weight Llama with a small trained tokenizer, as a model folder on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

CORPUS = [
    f"age={age}; sex={sex}; job={job}; note={note}\n"
    for age in range(18, 80, 3)
    for sex in ("female", "male")
    for job in ("baker", "clerk", "pilot")
    for note in (
        f'"A {sex} {job} of {age} years came in."',
        f'"Seen today: {job}, {sex}, aged {age}; no pain."',
    )
]


def trained_tokenizer(vocabulary: int = 500) -> PreTrainedTokenizerFast:
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=["<begin>", "<end>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<begin>", eos_token="<end>")


def save_tiny_model(folder: Path, *, positions: int = 256, vocabulary: int | None = None) -> Path:
    tokenizer = trained_tokenizer()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary or len(tokenizer),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=positions,
        bos_token_id=0,
        eos_token_id=1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model; its weights are random."""
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")
