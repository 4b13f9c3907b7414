"""The guard against copies: a memorised text comes out without it and not with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from llmsynth.codec.span_hashes import SpanHashes
from llmsynth.codec.token_automaton import TokenAutomaton
from llmsynth.engines import causal_lm
from llmsynth.engines.causal_lm import DecodingSettings, sample_rows
from llmsynth.engines.copy_guard import CopyGuard
from llmsynth.engines.generated_rows import GeneratedRows
from llmsynth.errors import OutOfMemoryError
from llmsynth.models.pretrained import Pretrained, load_pretrained

ROW = r'note="[a-z ]{0,12}"\n'


@pytest.fixture(scope="module")
def loaded(tiny_model: Path) -> Pretrained:
    return load_pretrained(str(tiny_model), dtype=torch.float32)


@pytest.fixture(scope="module")
def automaton(loaded: Pretrained) -> TokenAutomaton:
    return TokenAutomaton.compile(ROW, loaded.tokenizer)


def drawn(
    loaded: Pretrained, automaton: TokenAutomaton, guard: CopyGuard | None = None, rows: int = 24
) -> GeneratedRows:
    return sample_rows(
        loaded.model,
        automaton,
        prefix_ids=[[]] * rows,
        prompt_ids=[0],
        settings=DecodingSettings(seed=5, max_new_tokens=60, batch_size=16),
        guard=guard,
    )


def lists(rows: GeneratedRows) -> list[list[int]]:
    pairs = zip(rows.token_ids.tolist(), rows.lengths.tolist(), strict=True)
    return [ids[:length] for ids, length in pairs]


def test_spans_that_came_out_before_do_not_come_out_again(
    loaded: Pretrained, automaton: TokenAutomaton
) -> None:
    free = lists(drawn(loaded, automaton))
    inner = [ids[-6:-2] for ids in free if len(ids) > 12]
    spans = SpanHashes.of(inner, length=4, common_rows=10**9)
    assert any(spans.known(spans.spans(ids)).any() for ids in free)
    guard = CopyGuard(spans)
    guarded = drawn(loaded, automaton, guard)
    assert not any(spans.known(spans.spans(ids)).any() for ids in lists(guarded))
    assert guarded.finished.all()
    assert guard.counts.blocked >= guard.counts.rows > 0
    assert guard.counts.unavoidable == 0


def test_rows_that_repeat_nothing_are_the_same_with_and_without_a_guard(
    loaded: Pretrained, automaton: TokenAutomaton
) -> None:
    guard = CopyGuard(SpanHashes.of([[1, 1, 1]], length=3, common_rows=5))
    assert lists(drawn(loaded, automaton, guard)) == lists(drawn(loaded, automaton))
    assert guard.counts.blocked == guard.counts.rows == 0


def test_what_the_row_language_demands_is_let_through_and_counted(
    loaded: Pretrained, automaton: TokenAutomaton
) -> None:
    forced = TokenAutomaton.compile("abc\n", loaded.tokenizer)
    every = [lists(drawn(loaded, forced, rows=200))[k] for k in range(200)]
    guard = CopyGuard(SpanHashes.of(every, length=2, common_rows=10**9))
    rows = drawn(loaded, forced, guard, rows=20)
    assert rows.finished.all()
    assert guard.counts.unavoidable > 0


def test_a_batch_that_does_not_fit_is_drawn_in_halves_and_gives_the_same_rows(
    loaded: Pretrained, automaton: TokenAutomaton, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = lists(drawn(loaded, automaton))
    real = causal_lm.CachedDecoding
    sizes: list[int] = []

    def limited(**inputs: object) -> object:
        sizes.append(len(inputs["prefixes"]))  # type: ignore[arg-type]
        if sizes[-1] > 5:
            raise torch.OutOfMemoryError("out of memory")
        return real(**inputs)  # type: ignore[arg-type]

    monkeypatch.setattr(causal_lm, "CachedDecoding", limited)
    assert lists(drawn(loaded, automaton)) == expected
    assert sizes[:3] == [16, 8, 4]


def test_a_single_row_that_does_not_fit_is_a_named_error(
    loaded: Pretrained, automaton: TokenAutomaton, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(**inputs: object) -> object:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried too much")

    monkeypatch.setattr(causal_lm, "CachedDecoding", never)
    with pytest.raises(OutOfMemoryError, match="one row at a time"):
        drawn(loaded, automaton)
