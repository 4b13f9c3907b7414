"""Identifiers are in their pattern, unique, and the same for the same seed."""

from __future__ import annotations

import itertools
import random
import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsynth.codec.identifier_pattern import read_pattern
from llmsynth.codec.row_language import RowLanguage
from llmsynth.errors import SamplingError, SchemaError
from llmsynth.generation.identifiers import IdentifierMaker
from llmsynth.schema import IdentifierColumn, TableSchema
from llmsynth.schema.identifier_patterns import text_pattern


def maker(pattern: str, seed: int = 0, storage: str = "string", **fields: bool) -> IdentifierMaker:
    column = IdentifierColumn(name="id", pattern=pattern, storage=storage, **fields)
    return IdentifierMaker(column, seed)


@pytest.mark.parametrize("pattern", [r"\d{8}", r"[1-9]\d{0,6}", r"[A-Z]{2,3}-\d{1,4}\.[a-z]"])
def test_a_hundred_thousand_names_differ_and_keep_the_pattern(pattern: str) -> None:
    names = maker(pattern).make(0, 100_000).to_pylist()
    assert len(set(names)) == 100_000
    assert all(re.fullmatch(pattern, name) for name in names)


@pytest.mark.parametrize("pattern", ["[a-c]{1,3}", r"[xy]-\d", r"a{0,2}[b-d]{2}", "", "x"])
def test_the_names_are_every_text_of_the_pattern_once(pattern: str) -> None:
    atoms = read_pattern(IdentifierColumn(name="id", pattern=pattern))
    texts = {
        "".join(itertools.chain(*parts))
        for parts in itertools.product(
            *(
                [
                    "".join(t)
                    for n in range(a.least, a.most + 1)
                    for t in itertools.product(a.characters, repeat=n)
                ]
                for a in atoms
            )
        )
    }
    names = maker(pattern).make(0, len(texts)).to_pylist()
    assert sorted(names) == sorted(texts)
    with pytest.raises(SamplingError, match=f"{len(texts)} texts, fewer than the {len(texts) + 1}"):
        maker(pattern).make(len(texts), 1)


def test_names_that_need_not_differ_begin_again() -> None:
    names = maker("[ab]", unique=False).make(0, 5).to_pylist()
    assert names[:3] == names[2:]
    assert set(names) == {"a", "b"}


def test_the_same_seed_gives_the_same_names_in_whatever_pieces() -> None:
    whole = maker(r"\d{8}", 3).make(0, 50).to_pylist()
    pieces = [maker(r"\d{8}", 3).make(first, 10).to_pylist() for first in range(0, 50, 10)]
    assert list(itertools.chain(*pieces)) == whole
    assert maker(r"\d{8}", 4).make(0, 50).to_pylist() != whole


@pytest.mark.parametrize(
    ("storage", "pattern", "count"),
    [
        ("int64", r"[1-9]\d{17,18}", 5000),
        ("int64", r"[1-9]\d{18}", 5000),
        ("int64", r"\d{8}", 5000),
        ("int64", r"\d{1,3}", 999),
        ("uint64", r"[1-9]\d{19}", 5000),
        ("int32", r"[1-9]\d{0,9}", 5000),
        ("int16", r"[1-9]\d{0,4}", 9999),
        ("int8", r"[1-9]\d{0,3}", 99),
        ("int8", r"[1-9]\d{2}", 20),
        ("int64", "7", 1),
    ],
)
def test_whole_numbers_fit_their_storage_and_come_back_from_their_texts(
    storage: str, pattern: str, count: int
) -> None:
    column = IdentifierColumn(name="id", pattern=pattern, storage=storage)
    names = IdentifierMaker(column, 0).make(0, count)
    assert str(names.type) == storage
    assert len(set(names.to_pylist())) == count
    language = RowLanguage(TableSchema(columns=(column,)))
    grammar = re.compile(language.regex())
    for name in names.to_pylist()[:99]:
        assert re.fullmatch(pattern, str(name).zfill(8 if pattern == r"\d{8}" else 1))
        text = language.serialize({"id": name})
        assert grammar.fullmatch(text)
        assert language.parse(text) == {"id": name}


@pytest.mark.parametrize(
    "pattern",
    [
        *("A|B", "(ab)", "a*", "a+", "a?", ".", "^a", "a$", "[^a]", "[z-a]", "[", "]", "{2}"),
        *("a{2", "a{2,}", "a{3,2}", r"\w", r"\D", "[\\d]", "[]", "a\\"),
    ],
)
def test_a_pattern_of_anything_but_literals_classes_and_counts_is_refused(pattern: str) -> None:
    column = IdentifierColumn(name="id", pattern=pattern)
    with pytest.raises(SchemaError, match=r"'id': pattern .* \(character \d+\)"):
        read_pattern(column)
    with pytest.raises(SchemaError):
        RowLanguage(TableSchema(columns=(column,)))


@pytest.mark.parametrize(
    ("pattern", "has_one_reading"),
    [
        (r"\d{1,2}\d{1,2}", False),
        (r"[a-z]{1,3}[x-z]\d{1,2}", False),
        (r"[A-Z]{1,3}\d{0,2}[A-Z]{1,2}", False),
        (r"\d{1,2}-\d{1,2}", True),
        (r"[A-Z]{1,3}\d{2}[A-Z]{1,2}", True),
        (r"\d{1,2}\d{3}", True),
    ],
)
def test_a_pattern_that_spells_one_name_twice_cannot_be_unique(
    pattern: str, has_one_reading: bool
) -> None:
    free = IdentifierColumn(name="id", pattern=pattern, unique=False)
    assert IdentifierMaker(free, 0).make(0, 3).type == pa.string()
    if has_one_reading:
        names = maker(pattern).make(0, 100).to_pylist()
        assert len(set(names)) == 100
    else:
        with pytest.raises(SchemaError, match="spell one text in two ways"):
            maker(pattern)


@pytest.mark.parametrize(
    ("storage", "pattern"),
    [("int64", r"[A-Z]\d{3}"), ("int64", "0"), ("int64", ""), ("int8", "999"), ("double", r"\d")],
)
def test_names_that_the_storage_cannot_hold_are_refused(storage: str, pattern: str) -> None:
    with pytest.raises(SchemaError, match="'id'"):
        maker(pattern, storage=storage)


PIECES = {
    "digits": "0123456789",
    "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "hexadecimal": "0123456789abcdef",
    "word": "abcxyz0189_.'-",
    "letters": "abcXYZ",
}
LITERALS = ["", "-", "AB", '"', "\\", "{2}", "[x]", "a.b|c", "(*)", "$^", "é", "\t", " ", "#", "²"]


@st.composite
def named_rows(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Texts of one shape: literals, and runs of one set of characters."""
    shape = draw(
        st.lists(
            st.tuples(
                st.sampled_from(LITERALS),
                st.sampled_from(sorted(PIECES)),
                st.integers(1, 5),
                st.integers(0, 3),
            ),
            min_size=1,
            max_size=3,
        )
    )
    chance = random.Random(draw(st.integers(0, 2**32)))
    texts = {
        "".join(
            literal + "".join(chance.choices(PIECES[piece], k=least + chance.randint(0, more)))
            for literal, piece, least, more in shape
        )
        for _ in range(draw(st.integers(20, 60)))
    }
    return draw(st.sampled_from(["user_id", "code"])), sorted(texts)


@given(named_rows())
@settings(max_examples=150)
def test_every_inferred_pattern_is_read_and_holds_the_names_it_came_from(
    drawn: tuple[str, list[str]],
) -> None:
    name, texts = drawn
    pattern = text_pattern(name, texts)
    if pattern is None:
        return
    column = IdentifierColumn(name=name, pattern=pattern)
    language = RowLanguage(TableSchema(columns=(column,)))
    grammar = re.compile(language.regex())
    made = IdentifierMaker(column, 0).make(0, 20).to_pylist()
    for text in texts + made:
        assert re.fullmatch(pattern, text)
        assert grammar.fullmatch(language.serialize({name: text}))


def test_marks_in_names_do_not_become_ranges() -> None:
    texts = [f"o'neil-{i:02d}.x"[: 8 + i % 3] for i in range(60)]
    pattern = text_pattern("user_id", texts)
    assert pattern is not None
    assert all(re.fullmatch(pattern, text) for text in texts)
    assert maker(pattern).make(0, 5).type == pa.string()
