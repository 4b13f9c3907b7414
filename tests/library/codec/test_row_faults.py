"""What the row language refuses: cells and texts outside it, and schemas it cannot hold."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmsynth.codec.byte_automaton import DEAD, ByteAutomaton
from llmsynth.codec.row_language import RowLanguage
from llmsynth.errors import SchemaError, TableError
from llmsynth.schema import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    DatetimeColumn,
    IdentifierColumn,
    NumberColumn,
    TableSchema,
    TextColumn,
)
from llmsynth.schema.storage import arrow_type

AGE = NumberColumn(name="x", minimum="17", maximum="90")
WAGE = NumberColumn(name="x", storage="double", scale=2, minimum="-5", maximum="12.5")
CENTS = NumberColumn(name="x", storage="decimal128(9, 4)", scale=2, minimum="0", maximum="99999.99")
THOUSANDS = NumberColumn(name="x", minimum="0", maximum="90000", trailing_zeros=3)
BIG = NumberColumn(name="x", storage="uint64", minimum="0", maximum=str(2**64 - 1))
SEX = CategoryColumn(name="x", categories=("Female", "Male"))
CODES = CategoryColumn(name="x", storage="int64", categories=("1", "3"))
DAY = DateColumn(name="x", minimum="0999-03-01", maximum="1001-03-01")
MINUTE = DatetimeColumn(
    name="x", minimum="2020-02-28T23:59:00", maximum="2024-02-29T00:00:00", resolution="minute"
)
ZONED = replace(MINUTE, storage="timestamp[ms, tz=Europe/Berlin]", resolution="second")
FINE = replace(MINUTE, storage="timestamp[ns]", resolution="microsecond")
NOTE = TextColumn(name="x", maximum_length=3)
NAME = IdentifierColumn(name="x", pattern=r"[A-Z]\d{2}")


def language(*columns: Column) -> RowLanguage:
    return RowLanguage(TableSchema(columns=columns))


@pytest.mark.parametrize(
    ("column", "good", "bad", "reason"),
    [
        (AGE, 17, 16, "16 lies outside 17 to 90"),
        (AGE, 90, 91, "91 lies outside"),
        (AGE, 20, -(2**62), "lies outside"),
        (WAGE, 12.5, 12.505, "12.505 is no multiple of 0.01"),
        (WAGE, -5.0, -5.01, "lies outside -5 to 12.5"),
        (WAGE, 0.1 + 0.2, 1e300, "lies outside"),
        (WAGE, -0.0, float("inf"), "inf lies outside"),
        (CENTS, Decimal("0.01"), Decimal("0.001"), "is no multiple of 0.01"),
        (THOUSANDS, 90000, 500, "500 is no multiple of 1000"),
        (BIG, 2**64 - 1, -1, None),
        (SEX, "Male", "male", "'male' is not one of its 2 categories"),
        (CODES, 3, 2, "'2' is not one of"),
        (DAY, dt.date(999, 3, 1), dt.date(999, 2, 28), "0999-02-28 lies outside 0999-03-01"),
        (DAY, dt.date(1001, 3, 1), dt.date(1001, 3, 2), "lies outside"),
        (MINUTE, dt.datetime(2024, 2, 29), dt.datetime(2024, 2, 29, 0, 1), "lies outside"),
        (MINUTE, dt.datetime(2022, 1, 1), dt.datetime(2022, 1, 1, 0, 0, 1), "finer than"),
        (FINE, 1640995200_000_001_000, 1640995200_000_001_001, "finer than"),
        (
            ZONED,
            dt.datetime(2022, 1, 1, tzinfo=dt.UTC),
            dt.datetime(2025, 1, 1, tzinfo=dt.UTC),
            "lies outside",
        ),
        (NOTE, "abc", "abcd", "has 4 characters; 3 is the most"),
    ],
)
def test_a_cell_outside_the_language_is_refused_with_its_column_and_row(
    column: Column, good: object, bad: object, reason: str | None
) -> None:
    kind = arrow_type(column.storage)
    language(column).encode(pa.table({"x": pa.array([good, good], kind)}))
    if reason is not None:
        cells = pa.array([good, bad, good, bad], kind)
        with pytest.raises(TableError, match=f"Column 'x', row 2: .*{re.escape(reason)}"):
            language(column).encode(pa.table({"x": cells}))
    with pytest.raises(SchemaError, match="'x'"):
        language(column).serialize({"x": None})


ALL = (AGE, WAGE, CENTS, SEX, CODES, BooleanColumn(name="x"), DAY, MINUTE, ZONED, NOTE, NAME)


@pytest.mark.parametrize("column", ALL, ids=lambda column: f"{column.kind}-{column.storage}")
def test_missing_cells_are_refused_where_the_schema_says_there_are_none(column: Column) -> None:
    table = pa.table({"x": pa.nulls(2, arrow_type(column.storage))})
    with pytest.raises(TableError, match="Column 'x', row 1: the cell is missing"):
        language(column).encode(table)
    with pytest.raises(SchemaError, match="cannot be missing"):
        language(column).parse("x=null\n")
    allowed = language(replace(column, nullable=True))
    assert allowed.parse("x=null\n") == {"x": None}
    assert allowed.decode(allowed.encode(table)).equals(table)
    assert re.fullmatch(allowed.regex(), allowed.serialize({"x": None}))


@pytest.mark.parametrize(
    ("column", "good", "bad"),
    [
        (AGE, ["17", "90"], ["16", "91", "017", "9", "+17", "17.0", "１７", "1_7", "nan", '"17"']),
        (
            WAGE,
            ["-05.00", "+12.50"],
            ["12.50", "+12.5", "+12.51", "-05.01", "+1.250", "+1e300", "NaN", "+-5.00"],
        ),
        (THOUSANDS, ["00000", "90000"], ["90500", "91000", "9"]),
        (SEX, ["Male", '"Male"'], ["male", "", " Male", '"null"']),
        (
            DAY,
            ["0999-03-01", "1000-02-28"],
            ["999-03-01", "0999-02-28", "1001-03-02", "1000-02-29", "10000301", "1000-W10-1"],
        ),
        (
            MINUTE,
            ["2020-02-29T23:59"],
            [
                "2020-02-29T23:59:00",
                "2020-02-29 23:59",
                "2020-02-29T23:59+00:00",
                "2019-01-01T00:00",
            ],
        ),
        (ZONED, ["2020-02-29T23:59:59"], ["2020-02-29T23:59:59Z", "2025-02-28T23:59:59"]),
        (NAME, ['"A12"'], ["A12", '"A12', '"\\ud800"']),
    ],
)
def test_only_texts_of_the_language_are_read(
    column: Column, good: list[str], bad: list[str]
) -> None:
    one = language(column)
    for text in good:
        one.parse(f"x={text}\n")
    for text in bad:
        with pytest.raises(SchemaError):
            one.parse(f"x={text}\n")


@pytest.mark.parametrize(
    "text",
    ["", "x=17", "x=17; \n", "x=17; x=17\n", "y=17\n", "x=17;x=17\n", "x\n", 'x="17\n', "x=17\n\n"],
)
def test_a_text_that_is_no_row_is_refused(text: str) -> None:
    with pytest.raises(SchemaError):
        language(AGE).parse(text)


def test_a_row_without_one_of_its_columns_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"lacks \['y'\]"):
        language(AGE, replace(SEX, name="y")).parse("x=17\n")


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (replace(AGE, scale=1), "storage int64 cannot hold"),
        (replace(AGE, storage="int8", maximum="128"), "storage int8 cannot hold"),
        (replace(AGE, storage="bool"), "storage bool cannot hold"),
        (replace(CENTS, scale=5), "cannot hold"),
        (replace(CENTS, maximum="100000"), "cannot hold"),
        (replace(AGE, trailing_zeros=2), "no multiple of 100 lies between"),
        (replace(WAGE, scale=60), "take 62 digits; 60 is the most"),
        (replace(WAGE, maximum="9999", frequent=("many",)), "'many', which is not a number"),
        (replace(SEX, categories=()), "no categories"),
        (replace(CODES, categories=("one",)), "does not fit the storage int64"),
        (replace(CODES, categories=("01",)), "spells the category '01' as '1'"),
        (replace(DAY, minimum="0001-01-01", maximum="2001-01-01"), "spans 2001 years"),
        (replace(DAY, storage="int64"), "storage int64 cannot hold"),
        (replace(MINUTE, storage="timestamp[ns]", minimum="1600-01-01T00:00"), "cannot hold"),
        (replace(MINUTE, storage="timestamp[s]", resolution="millisecond"), "cannot hold"),
        (replace(MINUTE, minimum="2020-01-01T00:00:00Z", maximum="2021-01-01T00:00:00Z"), "offset"),
        (
            replace(MINUTE, minimum="2020-01-01T00:00:01", maximum="2020-01-01T00:00:59"),
            "no moment of its resolution",
        ),
    ],
)
def test_a_schema_that_contradicts_itself_does_not_compile(column: Column, reason: str) -> None:
    with pytest.raises(SchemaError, match=f"Column 'x'.*{reason}"):
        language(column)


def accepts(automaton: ByteAutomaton, text: str) -> bool:
    state = automaton.start
    for byte in text.encode():
        state = int(automaton.moves[state, automaton.byte_classes[byte]])
        if state == DEAD:
            return False
    return bool(automaton.final[state])


@given(st.lists(st.text(max_size=6), min_size=1, max_size=4, unique=True), st.text(max_size=6))
@example(["\x7f", "null", "#&~-/", "a\tb"], "\x7f\x00\x1f")
@settings(max_examples=25)
def test_the_decoders_dialect_reads_the_expression_as_python_does(
    categories: list[str], note: str
) -> None:
    columns = (
        CategoryColumn(name="a=b", categories=tuple(categories)),
        TextColumn(name=categories[0] + "~", maximum_length=len(note)),
        replace(WAGE, nullable=True),
        IdentifierColumn(name="id", pattern=r"""[0-9'"._-]\\\^\d{0,2}"""),
    )
    row = {columns[0].name: categories[-1], columns[1].name: note, "x": -4.01, "id": "'\\^7"}
    rows = language(*columns)
    text = rows.serialize(row)
    automaton = ByteAutomaton.compile(rows.regex())
    assert accepts(automaton, text)
    assert re.fullmatch(rows.regex(), text)
    assert not accepts(automaton, text[:-1])
    assert not accepts(automaton, text.replace("-04.01", "-05.01"))
    longer = text.replace(json.dumps(note, ensure_ascii=False), json.dumps(note + "x"))
    assert not accepts(automaton, longer)
