"""Open texts in pieces: every text comes back, the bounds hold, what is rare is no token."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsynth.codec.column_code import END, SKIPPED
from llmsynth.codec.spelled_text_code import SpelledTextCode
from llmsynth.codec.text_pieces import spelled_texts
from llmsynth.errors import SchemaError, TableError
from llmsynth.schema import TextColumn

COLUMN = TextColumn(
    name="code",
    nullable=True,
    common=("AB 1", "none"),
    pieces=("A", "B", " ", "1", "AB "),
    maximum_pieces=4,
    maximum_length=6,
)
CODE = SpelledTextCode(COLUMN)


def test_a_common_text_is_one_token_and_another_is_its_fewest_pieces_and_an_end() -> None:
    tokens = CODE.encode(pa.array(["AB 1", "AB 11", "B", None, "AB A11"], pa.string()))
    # Place 0: two common texts, five pieces, missing. Later places: five pieces, the end.
    assert CODE.place_sizes == (8, 6, 6, 6)
    assert CODE.place_owners == (0, 1, 1, 1)
    assert tokens.tolist() == [
        [0, SKIPPED, SKIPPED, SKIPPED],
        [6, 3, 3, 5],
        [3, 5, SKIPPED, SKIPPED],
        [7, SKIPPED, SKIPPED, SKIPPED],
        [6, 0, 3, 3],
    ]
    assert CODE.decode(tokens).to_pylist() == ["AB 1", "AB 11", "B", None, "AB A11"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("C1", "'C'"),
        ("ABABABA", "7 characters; 6 is the most"),
        ("BBBBB", "5 pieces; 4 is the most"),
        ("", "empty"),
    ],
)
def test_a_text_it_cannot_hold_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(TableError, match=f"row 2: .*{reason}"):
        CODE.encode(pa.array(["A", text]))
    with pytest.raises(SchemaError, match=reason):
        CODE.text(text)


def walked(code: SpelledTextCode, draw: np.random.Generator) -> list[int]:
    """A random cell within the automaton."""
    state, tokens = 0, []
    while state != END:
        assert code.automaton.place[state] == len(tokens)
        allowed = np.flatnonzero(code.automaton.allowed[state])
        token = int(draw.choice(allowed))
        tokens.append(token)
        state = int(code.automaton.following[state, token])
    return tokens + [SKIPPED] * (len(code.place_sizes) - len(tokens))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_what_the_automaton_lets_through_keeps_the_bounds_and_can_be_given(
    seed: int, longest: int
) -> None:
    column = TextColumn(
        name="t", pieces=("a", "bc", " def"), maximum_pieces=5, maximum_length=max(longest, 4)
    )
    code = SpelledTextCode(column)
    cells = code.decode(
        np.array([walked(code, np.random.default_rng(seed + n)) for n in range(20)], np.int32)
    )
    assert max(len(text) for text in cells.to_pylist()) <= column.maximum_length
    # Spelled again it takes no more pieces than it was written with, so it is never refused.
    assert code.decode(code.encode(cells)).to_pylist() == cells.to_pylist()
    assert all(code.cell(text, quoted=True) == text for text in cells.to_pylist())


def test_the_token_names_differ() -> None:
    code = SpelledTextCode(
        TextColumn(
            name="t",
            common=("A", '"', "null"),
            pieces=("A", '"', "+"),
            maximum_pieces=2,
            nullable=True,
        )
    )
    for place, size in enumerate(code.place_sizes):
        assert len({code.token_text(place, token) for token in range(size)}) == size


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | st.text(alphabet="ab é🎉", max_size=12), min_size=1, max_size=60))
def test_the_learned_cells_are_what_the_compiled_column_spells(texts: list[str | None]) -> None:
    cells = pa.array(texts, pa.string())
    done = spelled_texts(TextColumn(name="t", nullable=True), cells, floor=3, most_pieces=8)
    code = SpelledTextCode(done.column)
    assert code.decode(code.encode(done.cells)).to_pylist() == done.cells.to_pylist()
    changed = sum(a != b for a, b in zip(texts, done.cells.to_pylist(), strict=True))
    assert changed <= done.respelled_cells + done.cut_cells + int(done.left_out.sum())


def test_what_fewer_than_the_floor_hold_is_no_token() -> None:
    texts = ["Wien"] * 9 + ["Graz"] * 4 + ["Graz Süd", "Graz Nord", "Qum"]
    done = spelled_texts(TextColumn(name="town"), pa.array(texts), floor=5, most_pieces=20)
    assert done.column.common == ("Wien",)
    # Six rows hold the letters of Graz, four the town; two a blank, one each of the others.
    assert done.column.pieces == ("G", "a", "r", "z")
    assert done.common_cells == 9
    assert {"Graz", "Graz Süd", "Qum"} <= done.rare
    # Half a text is none: what would lose more than a tenth of it is not learned.
    assert done.left_out.tolist() == [False] * 13 + [True] * 3
    assert done.column.nullable
    # Of the seven open cells four (Graz) have another row with the same text.
    assert done.coincidence == pytest.approx(4 / 7)


def test_an_accent_that_few_hold_is_folded_and_a_rare_sign_of_a_long_text_is_left_out() -> None:
    texts = [f"a street in some town {n:02d}" for n in range(100)]
    texts += ["a street in some tówn 07", "a street* in some town 08"] * 3
    done = spelled_texts(TextColumn(name="text"), pa.array(texts), floor=5, most_pieces=40)
    assert done.cells.to_pylist()[-2:] == ["a street in some town 07", "a street in some town 08"]
    assert done.respelled_cells == 6


def test_entities_count_once_however_many_rows_they_have() -> None:
    texts, owners = ["Wien"] * 9 + ["Graz"] * 9, [0] * 9 + list(range(9))
    done = spelled_texts(
        TextColumn(name="town"),
        pa.array(texts),
        floor=5,
        most_pieces=20,
        entities=np.array(owners),
    )
    assert done.column.common == ("Graz",)
    assert "W" not in done.column.pieces


def test_long_texts_are_cut_at_a_word_and_counted() -> None:
    texts = [f"the quick brown fox jumps over row {n:03d}" for n in range(100)]
    done = spelled_texts(TextColumn(name="note"), pa.array(texts), floor=5, most_pieces=6)
    assert done.column.maximum_pieces == 6
    assert done.cut_cells == 100
    assert all("the quick brown fox".startswith(text[:10]) for text in done.cells.to_pylist())
    assert all(not text.endswith(" ") for text in done.cells.to_pylist())
