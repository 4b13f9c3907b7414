"""What counts as a copy of an example, on rows made for it."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from llmsynth.prompting.copy_check import Copy, CopyCheck
from llmsynth.schema import (
    CategoryColumn,
    DateColumn,
    IdentifierColumn,
    NumberColumn,
    TableSchema,
    TextColumn,
)

LETTERS = tuple("abcdefgh")
WIDE = TableSchema(
    columns=(
        IdentifierColumn(name="id"),
        NumberColumn(name="income", maximum="100000"),
        DateColumn(name="day", minimum="2020-01-01", maximum="2020-12-31", nullable=True),
        *(CategoryColumn(name=f"c{i}", categories=LETTERS) for i in range(5)),
    )
)
EXAMPLE = {"id": "1", "income": 50_000, "day": dt.date(2020, 5, 1)} | {
    f"c{i}": "a" for i in range(5)
}
STORAGE = pa.schema(
    [("id", pa.string()), ("income", pa.int64()), ("day", pa.date32())]
    + [(f"c{i}", pa.string()) for i in range(5)]
)


def wide(**changed: object) -> pa.Table:
    return pa.Table.from_pylist([EXAMPLE | changed], STORAGE)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, Copy.VERBATIM),
        ({"id": "another"}, Copy.VERBATIM),
        ({"c0": "b"}, Copy.NEAR),
        ({"income": 50_900}, Copy.NEAR),
        ({"income": 50_900, "day": dt.date(2020, 5, 3), "c0": "b"}, Copy.NEAR),
        ({"day": None}, Copy.NEAR),
        ({"c0": "b", "c1": "b"}, Copy.NONE),
        ({"income": 52_000, "c1": "b"}, Copy.NONE),
        ({"day": None, "c1": "b"}, Copy.NONE),
    ],
)
def test_a_wide_row_may_not_differ_in_one_cell_alone(
    changed: dict[str, object], found: Copy
) -> None:
    assert CopyCheck(WIDE, wide()).judged(wide(**changed)).tolist() == [found]


def test_two_halves_of_two_examples_are_no_copy() -> None:
    other = {f"c{i}": "b" for i in range(5)} | {"income": 1_000, "day": dt.date(2020, 1, 1)}
    check = CopyCheck(WIDE, pa.concat_tables([wide(), wide(**other)]))
    assert check.judged(wide(c0="b", c1="b", c2="b")).tolist() == [Copy.NONE]


def test_a_narrow_row_is_a_copy_only_where_every_cell_is_the_same() -> None:
    schema = TableSchema(columns=WIDE.columns[3:5])
    example = pa.table({"c0": ["a"], "c1": ["a"]})
    rows = pa.table({"c0": ["a", "a", "b"], "c1": ["a", "b", "b"]})
    assert CopyCheck(schema, example).judged(rows).tolist() == [Copy.VERBATIM, Copy.NONE, Copy.NONE]


NOTE = "The patient is a 48 year old man with chest pain since two days."


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (NOTE, Copy.VERBATIM),
        (NOTE.upper().replace(" ", "  "), Copy.VERBATIM),
        ("Mother of two. The patient is a 48 year old man. No fever.", Copy.NEAR),
        ("The patient is a 48 year woman with chest pain since yesterday.", Copy.NONE),
        ("chest pain since two", Copy.VERBATIM),
        ("Has chest pain since two", Copy.NEAR),
        ("The patient reports chest pain since two weeks.", Copy.NONE),
        ("No fever.", Copy.NONE),
        (None, Copy.NONE),
    ],
)
def test_long_runs_of_an_examples_words_are_copies(text: str | None, found: Copy) -> None:
    schema = TableSchema(columns=(TextColumn(name="note", nullable=True),))
    examples = pa.table({"note": [NOTE, "chest pain since two", "No pain."]})
    new = pa.table({"note": pa.array([text], pa.string())})
    assert CopyCheck(schema, examples).judged(new).tolist() == [found]


def test_another_text_tells_rows_with_the_same_fields_apart() -> None:
    schema = TableSchema(columns=(*WIDE.columns[3:], TextColumn(name="note")))
    fields = {f"c{i}": ["a"] for i in range(5)}
    examples = pa.table({**fields, "note": [NOTE]})
    row = pa.table({**fields, "note": ["Nothing of the kind was told to the doctor then."]})
    assert CopyCheck(schema, examples).judged(row).tolist() == [Copy.NONE]


def test_without_examples_nothing_is_a_copy() -> None:
    assert CopyCheck(WIDE, wide().slice(1)).judged(wide()).tolist() == [Copy.NONE]
