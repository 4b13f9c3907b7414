"""Span hashes: what was there is known again, what many share is not kept, no text is stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.codec.span_hashes import SpanHashes
from llmsynth.errors import BundleError, SettingsError

TEXTS = st.lists(st.lists(st.integers(0, 5), max_size=12), max_size=8)


def windows(text: list[int], length: int) -> set[tuple[int, ...]]:
    return {tuple(text[at : at + length]) for at in range(len(text) - length + 1)}


@given(TEXTS, st.lists(st.integers(0, 5), max_size=12), st.integers(1, 3))
def test_a_span_is_known_exactly_when_few_enough_texts_hold_it(
    texts: list[list[int]], other: list[int], common: int
) -> None:
    spans = SpanHashes.of(texts, length=3, common_rows=common, key=7)
    counts = [sum(window in windows(text, 3) for text in texts) for window in _in_order(other)]
    expected = [0 < count < common for count in counts]
    assert spans.known(spans.spans(other)).tolist() == expected


def _in_order(text: list[int]) -> list[tuple[int, ...]]:
    return [tuple(text[at : at + 3]) for at in range(len(text) - 2)]


@given(TEXTS, st.integers(1, 3))
def test_spans_of_common_pieces_alone_are_nobodys(texts: list[list[int]], common: int) -> None:
    spans = SpanHashes.of(texts, length=4, common_rows=common, piece=2, key=7)

    def is_rare(window: tuple[int, ...]) -> bool:
        return sum(window in windows(text, len(window)) for text in texts) < common

    for text in texts:
        told = [tuple(text[at : at + 4]) for at in range(len(text) - 3)]
        kept = [is_rare(span) and any(map(is_rare, windows(list(span), 2))) for span in told]
        assert spans.known(spans.spans(text)).tolist() == kept


def test_the_tokens_that_would_complete_a_span_are_found() -> None:
    spans = SpanHashes.of([[1, 2, 3, 4], [1, 2, 9]], length=3, common_rows=5)
    candidates = np.arange(12)
    assert np.flatnonzero(spans.completed([8, 1, 2], candidates)).tolist() == [3, 9]
    assert np.flatnonzero(spans.completed([2, 3], candidates)).tolist() == [4]
    assert not spans.completed([2], candidates).any()


def test_hashes_survive_the_disk_and_another_key_gives_others(tmp_path: Path) -> None:
    spans = SpanHashes.of([[1, 2, 3, 4]], length=2, common_rows=5, key=11)
    spans.save(tmp_path / "spans.safetensors")
    loaded = SpanHashes.load(tmp_path / "spans.safetensors")
    assert loaded.known(spans.spans([2, 3])).all()
    other = SpanHashes.of([[1, 2, 3, 4]], length=2, common_rows=5, key=13)
    assert not set(other.hashes.tolist()) & set(spans.hashes.tolist())


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"no such thing")
    with pytest.raises(BundleError, match="Expected span hashes"):
        SpanHashes.load(tmp_path / "x")


def test_a_span_of_one_token_is_refused() -> None:
    with pytest.raises(SettingsError, match="at least 2 tokens"):
        SpanHashes.of([], length=1, common_rows=5)
