"""Masked draws: exactly the disallowed mass is removed, then temperature and top-p act."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from llmsynth.codec.token_automaton import TokenAutomaton
from llmsynth.engines.masked_draw import draw_masked
from llmsynth.engines.tensor_automaton import TensorAutomaton


@cache
def four_tokens(pattern: str) -> TokenAutomaton:
    bpe = Tokenizer(models.BPE(vocab={"a": 0, "b": 1, "ab": 2, "<end>": 3}, merges=[("a", "b")]))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    return TokenAutomaton.compile(
        pattern, PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<end>")
    )


def test_the_mask_takes_exactly_the_disallowed_mass_of_four_tokens() -> None:
    automaton = TensorAutomaton.on("cpu", four_tokens("ab"))
    logits = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log().repeat(4, 1)
    draws = torch.tensor([0.0, 0.2499, 0.2501, 1 - 2**-53], dtype=torch.float64)
    start = torch.full((4,), automaton.start)
    draw = draw_masked(logits, start, automaton, draws)  # allowed: a (0.1) and ab (0.3)
    assert draw.log_kept.exp().tolist() == pytest.approx([0.4] * 4)
    assert draw.tokens.tolist() == [0, 0, 2, 2]
    assert draw.argmax_allowed.tolist() == [False] * 4
    after_a = automaton.advance(start, torch.tensor([0, 1, 2, 3]))
    assert (after_a == automaton.dead).tolist() == [False, True, False, True]
    second = draw_masked(logits[:1], after_a[:1], automaton, draws[:1])  # allowed: b (0.2)
    assert second.tokens.tolist() == [1]
    assert second.log_kept.exp().tolist() == pytest.approx([0.2])


def test_temperature_and_top_p_act_on_what_the_mask_left() -> None:
    automaton = TensorAutomaton.on("cpu", four_tokens("(?:a|b|ab)b*"))
    logits = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log().repeat(1000, 1)
    start = torch.full((1000,), automaton.start)
    draws = torch.linspace(0, 1, 1001, dtype=torch.float64)[:-1]
    counts = {}
    for heat, top_p in [(1.0, 1.0), (0.5, 1.0), (1.0, 0.5), (1.0, 0.51), (1.0, 0.9)]:
        draw = draw_masked(logits, start, automaton, draws, temperature=heat, top_p=top_p)
        counts[heat, top_p] = torch.bincount(draw.tokens, minlength=4).tolist()
    assert counts[1.0, 1.0] == pytest.approx([1000 / 6, 2000 / 6, 3000 / 6, 0], abs=1)
    assert counts[0.5, 1.0] == pytest.approx([1000 / 14, 4000 / 14, 9000 / 14, 0], abs=1)
    assert counts[1.0, 0.51] == pytest.approx([0, 400, 600, 0], abs=1)
    assert counts[1.0, 0.9] == counts[1.0, 1.0]


def test_equally_likely_tokens_stay_in_the_nucleus_together() -> None:
    automaton = TensorAutomaton.on("cpu", four_tokens("(?:a|b|ab)b*"))
    draws = torch.linspace(0, 0.999, 300, dtype=torch.float64)
    start = torch.full((300,), automaton.start)
    draw = draw_masked(torch.zeros(300, 4), start, automaton, draws, top_p=0.1)
    assert torch.bincount(draw.tokens).tolist() == pytest.approx([100] * 3, abs=1)
