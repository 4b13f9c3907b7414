"""Which kind infer_schema gives a column, and with which bounds."""

from __future__ import annotations

import datetime as dt
import random
import re
from decimal import Decimal

import pyarrow as pa
import pytest

from llmsynth.errors import SchemaError, TableError
from llmsynth.schema import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    DatetimeColumn,
    IdentifierColumn,
    NumberColumn,
    TextColumn,
    infer_schema,
)


def inferred(values: list[object] | pa.Array, name: str = "x", target: str | None = None) -> Column:
    cells = values if isinstance(values, pa.Array) else pa.array(values)
    return infer_schema(pa.table({name: cells}), target=target).column(name)


def number(**fields: object) -> NumberColumn:
    return NumberColumn(name="x", **fields)  # type: ignore[arg-type]


def category(*categories: str, **fields: object) -> CategoryColumn:
    return CategoryColumn(name="x", categories=categories, **fields)  # type: ignore[arg-type]


NUMBERS: list[tuple[list[object], Column]] = [
    (["7", "0", "-3", None], number(minimum="-3", maximum="7", nullable=True)),
    (["999999999999999999"], number(minimum="9" * 18, maximum="9" * 18)),
    (["1.5", "10", "9.25"], number(storage="double", scale=2, minimum="1.5", maximum="10")),
    (
        ["1.50", "-0.25"],
        number(storage="double", scale=2, minimum="-0.25", maximum="1.5", fixed_scale=True),
    ),
    (["1e-12", "2"], number(storage="double", scale=12, minimum="0.000000000001", maximum="2")),
    (["1.5e3"], number(storage="double", scale=0, minimum="1500", maximum="1500")),
    (
        ["0.1000000000000000055", "2.5"],
        number(
            storage="decimal128(38, 19)", scale=19, minimum="0.1000000000000000055",
            maximum="2.5000000000000000000",
        ),
    ),
    ([41.0, None, 3.0], number(storage="double", minimum="3", maximum="41", nullable=True)),
    ([0.1, 22.0], number(storage="double", scale=1, minimum="0.1", maximum="22")),
    ([1e-7], number(storage="double", scale=7, minimum="0.0000001", maximum="0.0000001")),
    ([5, None], number(minimum="5", maximum="5", nullable=True)),
    (
        [Decimal("1.50"), Decimal("20.25")],
        number(
            storage="decimal128(4, 2)", scale=2, minimum="1.50", maximum="20.25", fixed_scale=True
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("values", "expected"), NUMBERS)
def test_numbers_get_their_grid_and_bounds(values: list[object], expected: Column) -> None:
    assert inferred(values) == expected


@pytest.mark.parametrize(
    "texts",
    [
        ["007", "12"],
        ["+5", "5"],
        ["-0", "1"],
        ["?", "1", "2"],
        ["1,5", "2,5"],
        ["1234567890123456789", "1"],
        ["1e400", "1"],
        ["1e-400", "1"],
        ["nan", "1.5"],
        ["0." + "1" * 39, "1"],
        [" ", "1.5"],
    ],
)
def test_texts_that_are_not_exactly_numbers_stay_texts(texts: list[str]) -> None:
    assert inferred(texts) == category(*sorted(texts))


def test_float32_is_measured_in_its_own_digits() -> None:
    column = inferred(pa.array([0.1, 0.25], pa.float32()))
    assert column == number(storage="float", scale=2, minimum="0.1", maximum="0.25")


def test_a_few_integers_in_many_rows_are_codes() -> None:
    column = inferred([str(i % 11 - 1) for i in range(1200)])
    assert column == category(*map(str, range(-1, 10)), storage="int64")
    assert inferred(pa.array([1, 2] * 101, pa.int8())) == category("1", "2", storage="int8")


@pytest.mark.parametrize("count", [13, 1])
def test_many_values_or_few_rows_are_numbers(count: int) -> None:
    rows = 3000 if count > 1 else 99
    assert isinstance(inferred([str(i % count) for i in range(rows)]), NumberColumn)


def test_floats_are_never_codes() -> None:
    assert isinstance(inferred([float(i % 2) for i in range(500)]), NumberColumn)


def test_a_target_of_few_integers_is_its_classes() -> None:
    assert inferred(["2", "10", "1"], target="x") == category("1", "2", "10", storage="int64")
    assert inferred([0.0, 1.0], target="x") == category("0", "1", storage="double")
    assert inferred(["0.0", "1.0"], target="x") == category("0.0", "1.0")
    assert isinstance(inferred([str(i) for i in range(21)], target="x"), NumberColumn)


@pytest.mark.parametrize(
    ("texts", "true_text", "false_text"),
    [
        (["true", "false", None], "true", "false"),
        (["True", "True"], "True", "False"),
        (["FALSE"], "TRUE", "FALSE"),
    ],
)
def test_true_and_false_are_booleans_in_their_spelling(
    texts: list[object], true_text: str, false_text: str
) -> None:
    column = inferred(texts)
    assert column == BooleanColumn(
        name="x", nullable=None in texts, true_text=true_text, false_text=false_text
    )


@pytest.mark.parametrize("texts", [["true", "False"], ["yes", "no"], ["tRUE"], ["true", "maybe"]])
def test_other_words_for_yes_and_no_are_categories(texts: list[str]) -> None:
    assert inferred(texts) == category(*sorted(texts))


def test_arrow_booleans_are_booleans() -> None:
    assert inferred([True, None]) == BooleanColumn(name="x", nullable=True)


@pytest.mark.parametrize("kind", [pa.string(), pa.null(), pa.int64(), pa.float64(), pa.date32()])
def test_a_column_without_cells_has_no_categories(kind: pa.DataType) -> None:
    column = inferred(pa.nulls(3, kind))
    storage = "string" if kind == pa.null() else str(kind)
    assert column == category(nullable=True, storage=storage)


DAYS: list[tuple[list[object], str]] = [
    (["2020-02-29", None], "%Y-%m-%d"),
    (["2020/02/29"], "%Y/%m/%d"),
    (["29.02.2020"], "%d.%m.%Y"),
    (["29/02/2020"], "%d/%m/%Y"),
    (["2/29/2020"], "%-m/%-d/%Y"),
]


@pytest.mark.parametrize(("texts", "pattern"), DAYS)
def test_days_in_one_format_are_dates(texts: list[object], pattern: str) -> None:
    day = "2020-02-29"
    assert inferred(texts) == DateColumn(
        name="x", nullable=None in texts, minimum=day, maximum=day, format=pattern
    )


def test_an_ambiguous_day_is_read_as_month_first_unless_a_cell_says_otherwise() -> None:
    either = inferred(["01/02/2020"])
    told = inferred(["01/02/2020", "13/02/2020"])
    assert isinstance(either, DateColumn)
    assert isinstance(told, DateColumn)
    assert (either.minimum, told.minimum) == ("2020-01-02", "2020-02-01")


@pytest.mark.parametrize(
    "texts",
    [["2021-02-29"], ["2020-01-01", "n/a"], ["2020-01-01", "01/01/2020"], ["20200101x"], ["10:30"]],
)
def test_texts_that_are_not_all_days_are_categories(texts: list[str]) -> None:
    assert inferred(texts) == category(*sorted(texts))


UTC = "timestamp[us, tz=UTC]"
MOMENTS: list[tuple[list[object], str, str, str, str, str]] = [
    (["2020-01-02T03:04:05"], "%Y-%m-%dT%H:%M:%S", "timestamp[us]", "second",
     "2020-01-02T03:04:05", "2020-01-02T03:04:05"),
    (["2020-01-02 03:04", "2019-01-02 03:04"], "%Y-%m-%d %H:%M", "timestamp[us]", "minute",
     "2019-01-02T03:04:00", "2020-01-02T03:04:00"),
    (["2020-01-02 03:04:05.5", "2020-01-02 03:04:05"], "%Y-%m-%d %H:%M:%S.%f", "timestamp[us]",
     "millisecond", "2020-01-02T03:04:05", "2020-01-02T03:04:05.500000"),
    (["2020-01-02T03:04:05Z", "2020-01-02T01:04:05Z"], "%Y-%m-%dT%H:%M:%SZ", UTC, "second",
     "2020-01-02T01:04:05", "2020-01-02T03:04:05"),
    (["31/12/2020 3:04:05.000001"], "%d/%m/%Y %H:%M:%S.%f", "timestamp[us]", "microsecond",
     "2020-12-31T03:04:05.000001", "2020-12-31T03:04:05.000001"),
]  # fmt: skip


@pytest.mark.parametrize(("texts", "pattern", "storage", "resolution", "low", "high"), MOMENTS)
def test_moments_in_one_format_are_datetimes(
    texts: list[object], pattern: str, storage: str, resolution: str, low: str, high: str
) -> None:
    assert inferred(texts) == DatetimeColumn(
        name="x", storage=storage, minimum=low, maximum=high, resolution=resolution, format=pattern
    )


def test_zoned_and_local_moments_do_not_mix() -> None:
    texts = ["2020-01-02T03:04:05", "2020-01-02T03:04:05Z"]
    assert inferred(texts) == category(*texts)


@pytest.mark.parametrize(
    "kind",
    [
        pa.timestamp("s"),
        pa.timestamp("ms"),
        pa.timestamp("ns", tz="Europe/Berlin"),
        pa.date32(),
        pa.date64(),
    ],
)
def test_arrow_days_and_moments_keep_their_type(kind: pa.DataType) -> None:
    values = pa.array([dt.datetime(2020, 7, 1), None], pa.timestamp("s")).cast(kind)
    column = inferred(values)
    assert column.storage == str(kind)
    assert isinstance(column, DateColumn | DatetimeColumn)
    assert column.minimum == column.maximum
    assert column.minimum.startswith("2020-07-01")
    assert ("%z" in column.format) == ("Berlin" in str(kind))


def test_pattern_of_distinct_texts_of_one_shape() -> None:
    letters = "ABCDEFGHJK"
    texts = [f"{7590 + i}-{letters[i % 10]}{letters[i // 10]}HEG" for i in range(40)]
    column = inferred(texts, name="customerID")
    assert isinstance(column, IdentifierColumn)
    assert column.pattern == r"\d{4}-[A-Z]{2}HEG"


@pytest.mark.parametrize(
    ("make", "name", "pattern"),
    [
        (lambda i: f"{i:05d}", "x", r"\d{5}"),
        (lambda i: f"SUB.{i + 1}", "x", r"SUB\.\d{1,3}"),
        (lambda i: f"{i * 2654435761 % 2**32:08x}", "x", r"[0-9a-f]{8}"),
        (lambda i: f"k{'ab' * (1 + i % 2)}{i:03d}", "player_id", r"[a-z]{3,5}\d{3}"),
        (lambda i: f"{'_-'[i % 2]}{i:03d}a"[: 4 + i % 2], "user_id", None),
    ],
)
def test_patterns_are_written_with_literals_classes_and_counts(
    make: object, name: str, pattern: str | None
) -> None:
    assert callable(make)
    texts = [str(make(i)) for i in range(300)]
    column = inferred(texts, name=name)
    assert isinstance(column, IdentifierColumn)
    if pattern is not None:
        assert column.pattern == pattern
    assert all(re.fullmatch(column.pattern, text) for text in texts)


def test_repeated_or_few_or_wordlike_texts_are_no_identifiers() -> None:
    assert isinstance(inferred([f"{i // 2:05d}" for i in range(90)]), NumberColumn)
    assert isinstance(inferred([f"{i // 20:05d}" for i in range(900)]), CategoryColumn)
    assert isinstance(inferred([f"{i:05d}" for i in range(19)]), NumberColumn)
    assert isinstance(inferred([chr(65 + i) + "na" for i in range(26)]), CategoryColumn)


@pytest.mark.parametrize("name", ["id", "PassengerId", "encounter_id", "row number", "ID"])
def test_distinct_integers_under_a_key_name_are_identifiers(name: str) -> None:
    values = [str(7 * i + 1000) for i in range(120)]
    random.Random(0).shuffle(values)
    column = inferred(values, name=name)
    assert column == IdentifierColumn(name=name, storage="int64", pattern=r"[1-9]\d{3}")


def test_a_row_count_is_an_identifier_with_room_for_more() -> None:
    column = inferred([str(i) for i in range(1, 892)])
    assert column == IdentifierColumn(name="x", storage="int64", pattern=r"[1-9]\d{0,3}")


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (list(range(1000, 1150)), "paid"),
        (list(range(1000, 1150)), "salary"),
        ([i // 2 for i in range(200)], "id"),
        ([-i for i in range(200)], "id"),
        (list(range(19)), "id"),
        ([*range(1, 150), None], "id"),
    ],
)
def test_other_integers_are_numbers(values: list[object], name: str) -> None:
    assert isinstance(inferred(values, name=name), NumberColumn)


def test_sentences_and_long_or_never_repeating_texts_are_free_text() -> None:
    sentences = [f"the patient has {i % 40} or more of these" for i in range(100)]
    assert inferred(sentences) == TextColumn(name="x", maximum_length=35)
    assert isinstance(inferred(["x" * 41 + str(i) * (i % 7) for i in range(60)]), TextColumn)
    words = random.Random(1)
    names = ["".join(words.choices("aeinr", k=words.randint(6, 12))).title() for _ in range(1500)]
    assert isinstance(inferred(names + names[:400]), TextColumn)


def test_values_that_repeat_stay_categories_however_many() -> None:
    values = [f"shop {i % 2000}" for i in range(10_000)]
    column = inferred(values)
    assert isinstance(column, CategoryColumn)
    assert column.categories == tuple(sorted(set(values)))


def test_a_category_may_be_the_empty_text() -> None:
    assert inferred(["", "a", None]) == category("", "a", nullable=True)


def test_dictionaries_are_judged_by_their_values() -> None:
    assert inferred(pa.array(["b", "a", "b"]).dictionary_encode()) == category("a", "b")


def test_an_unknown_target_is_named() -> None:
    with pytest.raises(TableError, match="'y' is no column"):
        inferred(["1"], target="y")


def test_a_table_without_rows_or_columns_has_no_schema() -> None:
    with pytest.raises(TableError, match="has none"):
        inferred(pa.array([], pa.string()))
    with pytest.raises(SchemaError, match="at least one column"):
        infer_schema(pa.table({}))


def test_cells_that_cannot_be_learned_are_refused() -> None:
    with pytest.raises(TableError, match="Column 'x' has the type list"):
        inferred([["a"]])
    with pytest.raises(TableError, match="Column 'x' holds an infinite"):
        inferred([1.0, float("inf")])
