"""The local engine: valid whatever the weights, true to the model, bounded, reproducible."""

from __future__ import annotations

import itertools
import math
import re
from functools import cache
from typing import cast

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from llmsynth.codec.token_automaton import TokenAutomaton
from llmsynth.engines.causal_lm import DecodingSettings, sample_rows
from llmsynth.engines.generated_rows import GeneratedRows
from llmsynth.engines.random_draws import uniforms
from llmsynth.engines.stop_reason import StopReason
from llmsynth.engines.tensor_automaton import TensorAutomaton
from llmsynth.errors import ConditionError, SamplingError, SettingsError

SHARED: dict[str, object] = {}


@pytest.fixture(scope="module", autouse=True)
def shared(
    bpe_tokenizer: PreTrainedTokenizerFast, row_automaton: TokenAutomaton, row_pattern: str
) -> None:
    SHARED.update(tokenizer=bpe_tokenizer, automaton=row_automaton, pattern=row_pattern)


def tokenizer() -> PreTrainedTokenizerFast:
    return cast(PreTrainedTokenizerFast, SHARED["tokenizer"])


def row_language() -> TokenAutomaton:
    return cast(TokenAutomaton, SHARED["automaton"])


@cache
def llama(vocab_size: int | None = None, positions: int = 512) -> LlamaForCausalLM:
    """Random weights, large enough that no two steps look alike; float64 against rounding."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocab_size or len(tokenizer()),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=positions,
        initializer_range=0.5,
    )
    return LlamaForCausalLM(config).double().eval()


def gpt2() -> GPT2LMHeadModel:
    torch.manual_seed(1)
    config = GPT2Config(
        vocab_size=len(tokenizer()) + 40,
        n_positions=256,
        n_embd=32,
        n_layer=2,
        n_head=2,
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=0,
    )
    return GPT2LMHeadModel(config).double().eval()


def drawn(
    num_rows: int = 0,
    *,
    model: PreTrainedModel | None = None,
    automaton: TokenAutomaton | None = None,
    prefixes: list[list[int]] | None = None,
    prompt: tuple[int, ...] = (0,),
    **changes: float | None,
) -> GeneratedRows:
    chosen = {"seed": 7, "max_new_tokens": 60, **changes}
    return sample_rows(
        model or llama(),
        automaton or row_language(),
        prefix_ids=[[]] * num_rows if prefixes is None else prefixes,
        prompt_ids=prompt,
        settings=DecodingSettings(**chosen),
    )


def as_lists(rows: GeneratedRows) -> list[list[int]]:
    return [ids[:n] for ids, n in zip(rows.token_ids.tolist(), rows.lengths.tolist(), strict=True)]


def one_by_one(
    model: PreTrainedModel, prompt: list[int], prefix: list[int], row: int, seed: int, heat: float
) -> tuple[list[int], float]:
    """The same row without cache, batch, padding or tensors: what the engine must agree with."""
    automaton, tokens, removed = row_language(), list(prefix), []
    state = automaton.walk(prefix)
    while not automaton.ended[state]:
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([prompt + tokens])).logits[0, -1]
        odds = torch.softmax(logits / heat, 0).double().numpy()
        allowed = automaton.allowed(state)
        removed.append(1 - odds[allowed].sum())
        cumulative = odds[allowed].cumsum() / odds[allowed].sum()
        draw = uniforms(seed, torch.tensor([row]), len(tokens) - len(prefix)).item()
        token = int(allowed[np.searchsorted(cumulative, draw, side="right")])
        state = automaton.walk([token], state)
        tokens.append(token)
    return tokens, float(np.mean(removed))


def test_every_row_from_random_weights_is_valid() -> None:
    rows = drawn(96, batch_size=40)
    assert rows.finished.all()
    pattern = str(SHARED["pattern"])
    assert all(re.fullmatch(pattern, text) for text in rows.texts(row_language()))
    assert len(set(rows.texts(row_language()))) > 80
    assert rows.counts() == {
        "finished": 96,
        "max_new_tokens": 0,
        "context_length": 0,
        "max_seconds": 0,
    }


@pytest.mark.parametrize("model", [llama, gpt2])
def test_rows_equal_those_drawn_one_by_one_without_cache_or_padding(model) -> None:
    prefixes = [tokenizer().encode(text) for text in ("", "age=39;", "age=4", "age=1; sex=Male;")]
    rows = drawn(model=model(), prefixes=prefixes, prompt=(0, 5, 9), temperature=1.5)
    for row, prefix in enumerate(prefixes):
        tokens, removed = one_by_one(model(), [0, 5, 9], prefix, row, 7, 1.5)
        assert as_lists(rows)[row] == tokens
        assert rows.removed_mass[row].item() == pytest.approx(removed, abs=1e-5)
        assert rows.num_steps[row] == len(tokens) - len(prefix)


def test_the_same_seed_gives_the_same_rows_whatever_the_batch_size() -> None:
    by_size = [as_lists(drawn(18, batch_size=size)) for size in (1, 7, 64)]
    assert by_size[0] == by_size[1] == by_size[2]
    assert as_lists(drawn(18, seed=8)) != by_size[0]
    assert as_lists(drawn(4, first_row=14)) == by_size[0][14:]


def test_rows_begin_with_their_prefixes_and_stay_valid() -> None:
    texts = ["age=39; sex=Female;", "age=7", "", 'age=1; sex=Male; note="größe']
    prefixes = [tokenizer().encode(text) for text in texts]
    for rows in (drawn(prefixes=prefixes), drawn(prefixes=prefixes[:2], prompt=())):
        for text, prefix in zip(rows.texts(row_language()), texts, strict=False):
            assert text.startswith(prefix)
            assert re.fullmatch(str(SHARED["pattern"]), text)


def test_a_tensor_of_prefixes_is_as_good_as_lists() -> None:
    prefix = tokenizer().encode("age=39;")
    from_tensor = sample_rows(
        llama(),
        row_language(),
        prefix_ids=torch.tensor([prefix, prefix]),
        settings=DecodingSettings(seed=7),
    )
    assert as_lists(from_tensor) == as_lists(drawn(prefixes=[prefix, prefix], prompt=()))


def test_a_prefix_that_is_a_whole_row_needs_no_step() -> None:
    whole = tokenizer().encode("age=1; sex=Male; note=null\n")
    rows = drawn(prefixes=[whole, []])
    assert rows.finished.all()
    assert as_lists(rows)[0] == whole
    assert rows.num_steps[0] == 0
    assert rows.removed_mass[0].isnan()
    assert math.isfinite(rows.step_validity())


def test_a_prefix_that_no_row_begins_with_is_refused_by_row() -> None:
    with pytest.raises(ConditionError, match="Prefix of row 2"):
        drawn(prefixes=[[], tokenizer().encode("sex=Male")])


def test_bounds_leave_rows_unfinished_with_their_reason() -> None:
    short = drawn(5, max_new_tokens=3)
    assert short.reasons.tolist() == [StopReason.MAX_NEW_TOKENS] * 5
    assert short.num_steps.tolist() == [3] * 5
    late = drawn(5, max_seconds=1e-9)
    assert late.reasons.tolist() == [StopReason.MAX_SECONDS] * 5
    assert late.num_steps.tolist() == [0] * 5
    narrow = drawn(5, model=llama(positions=4), prompt=(0, 0, 0))
    assert narrow.reasons.tolist() == [StopReason.CONTEXT_LENGTH] * 5
    assert narrow.num_steps.tolist() == [2] * 5
    assert short.row_validity() == 0


@cache
def four_tokens(pattern: str) -> TokenAutomaton:
    bpe = Tokenizer(models.BPE(vocab={"a": 0, "b": 1, "ab": 2, "<end>": 3}, merges=[("a", "b")]))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    return TokenAutomaton.compile(
        pattern, PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<end>")
    )


def test_row_validity_estimates_the_probability_that_an_unmasked_row_is_valid() -> None:
    automaton, model = four_tokens("a(?:b|bb)"), llama(vocab_size=4)
    exact = 0.0
    for length in (1, 2, 3, 4):
        for tokens in itertools.product(range(4), repeat=length):
            exact += probability_of_valid_row(model, automaton, list(tokens))
    rows = drawn(4000, model=model, automaton=automaton, prompt=(3,), batch_size=2000)
    weights = rows.log_validity.exp()
    assert rows.row_validity() == pytest.approx(exact, abs=4 * weights.std().item() / 4000**0.5)
    assert 0.001 < exact < 0.999


def probability_of_valid_row(
    model: PreTrainedModel, automaton: TokenAutomaton, tokens: list[int]
) -> float:
    """Unmasked probability of these tokens if they are a row exactly as the sampler ends one."""
    state = automaton.start
    for place, token in enumerate(tokens):
        if automaton.ended[state] or token not in automaton.allowed(state):
            return 0.0
        state = automaton.walk([token], state)
        if automaton.ended[state] and place < len(tokens) - 1:
            return 0.0
    if not automaton.ended[state]:
        return 0.0
    with torch.inference_mode():
        odds = model(input_ids=torch.tensor([[3, *tokens]])).logits[0].float().log_softmax(1)
    return math.exp(sum(odds[place, token].item() for place, token in enumerate(tokens)))


def test_tensors_allow_and_advance_as_the_arrays_do() -> None:
    arrays = row_language()
    tensors = TensorAutomaton.on("cpu", arrays)
    states = torch.arange(0, arrays.num_states, 7)
    assert torch.equal(tensors.mask(states), torch.from_numpy(arrays.mask(states.numpy())))
    tokens = torch.arange(arrays.num_tokens)
    for state in states.tolist():
        expected = [arrays._after(state, token) for token in tokens.tolist()]
        after = tensors.advance(torch.full_like(tokens, state), tokens)
        assert after.where(after != tensors.dead, -1).tolist() == expected


def test_a_model_that_gives_no_numbers_is_reported() -> None:
    broken = llama(positions=100)
    with torch.no_grad():
        broken.lm_head.weight[3].fill_(torch.nan)
    with pytest.raises(SamplingError, match="not finite"):
        drawn(2, model=broken)


def test_a_model_and_a_tokenizer_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(SettingsError, match="Expected a model with at least"):
        drawn(2, model=llama(vocab_size=100))


def test_nothing_to_start_from_and_a_prompt_too_long_are_refused() -> None:
    with pytest.raises(SettingsError, match="at least one token to start from"):
        drawn(2, prompt=())
    with pytest.raises(SettingsError, match="at least one prefix"):
        drawn(0)
    with pytest.raises(SettingsError, match="fit the model's 4 positions, got 5"):
        drawn(2, model=llama(positions=4), prompt=(0,) * 5)


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.0},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"max_new_tokens": 0},
        {"batch_size": 0},
        {"max_seconds": 0.0},
        {"first_row": -1},
    ],
)
def test_settings_out_of_range_are_named(change: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=next(iter(change))):
        DecodingSettings(seed=0, **change)


def test_the_model_is_left_in_the_mode_it_was_in() -> None:
    model = llama(positions=300).train()
    first, second = drawn(3, model=model), drawn(3, model=model)
    assert model.training
    assert as_lists(first) == as_lists(second)
