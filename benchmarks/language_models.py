"""Pretrained models for benchmarks: a folder of the user's, or random weights of a known shape."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers import models as token_models
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from llmsynth import demo_tables

SHAPES = {
    "tiny": {"hidden": 64, "inner": 96, "layers": 2, "heads": 2, "key_heads": 1},
    # That of SmolLM2-135M.
    "135m": {"hidden": 576, "inner": 1536, "layers": 30, "heads": 9, "key_heads": 3},
    "1b": {"hidden": 2048, "inner": 8192, "layers": 16, "heads": 32, "key_heads": 8},
}


def trained_tokenizer(num_tokens: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE of the demo tables' words."""
    bpe = Tokenizer(token_models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    texts = (
        str(cell)
        for name in demo_tables.names()
        for column in demo_tables.load(name).itercolumns()
        for cell in column.to_pylist()
    )
    trainer = trainers.BpeTrainer(
        vocab_size=num_tokens,
        special_tokens=["<end>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=bpe, eos_token="<end>"
    )


def write_random_model(folder: Path, *, shape: str, spread: float = 0.02) -> None:
    """Random weights of a shape, with a tokenizer of 16,000 tokens (600 for "tiny").

    Args:
        spread: standard deviation of the weights.
    """
    tokenizer = trained_tokenizer(600 if shape == "tiny" else 16_000)
    size = SHAPES[shape]
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer) if shape == "tiny" else 49_152,
        hidden_size=size["hidden"],
        intermediate_size=size["inner"],
        num_hidden_layers=size["layers"],
        num_attention_heads=size["heads"],
        num_key_value_heads=size["key_heads"],
        max_position_embeddings=2048,
        initializer_range=spread,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
