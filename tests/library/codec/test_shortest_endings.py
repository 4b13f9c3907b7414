"""Shortest endings: one for every byte that may come next, each the end of a row, none longer."""

from __future__ import annotations

import re

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from llmsynth.codec.shortest_endings import ShortestEndings
from llmsynth.codec.token_automaton import TokenAutomaton


@pytest.fixture(scope="module")
def byte_tokenizer() -> PreTrainedTokenizerFast:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(["<end>", *letters])}
    bpe = Tokenizer(models.BPE(vocabulary, []))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<end>")


@pytest.mark.parametrize(
    ("pattern", "before", "endings"),
    [
        (r"a=[0-9]{1,3}; b=(?:x|yy)\n", "a=", {"0; b=x\n"}),
        (r"a=[0-9]{1,3}; b=(?:x|yy)\n", "a=1", {"0; b=x\n", "; b=x\n"}),
        (r"a=[0-9]{1,3}; b=(?:x|yy)\n", "a=1; b=", {"x\n", "yy\n"}),
        (r"x[ab]*", "xab", {"", "a"}),
        (r"[^\n]{0,3}!", "", None),
    ],
)
def test_the_shortest_endings_are_told_apart_by_their_first_byte(
    byte_tokenizer: PreTrainedTokenizerFast, pattern: str, before: str, endings: set[str] | None
) -> None:
    automaton = TokenAutomaton.compile(pattern, byte_tokenizer)
    texts = ShortestEndings(automaton).of(automaton.walk(byte_tokenizer.encode(before)))
    assert all(re.fullmatch(pattern, before + text) for text in texts)
    if endings is not None:
        assert set(texts) == endings
    firsts = [text.encode()[:1] for text in texts]
    assert len(firsts) == len(set(firsts))
