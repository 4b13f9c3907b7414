"""Any table of every kind at once goes out and comes back cell for cell."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    infer_schema,
)
from llmsynth.schema.storage import arrow_type
from llmsynth.tables import conform, read_table, to_dataset, to_pandas, write_table
from llmsynth.tables.reading import read_noted
from llmsynth.tables.reading_settings import ReadingSettings

TEXTS = st.text(
    st.one_of(
        st.sampled_from(list(",;\t|\"'\r\n \\?=.\ufeff\x00é漢😀")),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=8,
)
INT64 = st.integers(-(2**63), 2**63 - 1)
DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
NAIVE = st.datetimes()
ZONED = st.datetimes(timezones=st.just(dt.UTC))
NANOSECONDS = st.integers(-(2**62), 2**62)

KINDS: list[tuple[Column, st.SearchStrategy[object]]] = [
    (NumberColumn(name="integer"), INT64),
    (NumberColumn(name="byte", storage="uint8"), st.integers(0, 255)),
    (NumberColumn(name="double", storage="double", scale=9), DOUBLES),
    (NumberColumn(name="float", storage="float", scale=9), st.floats(-9, 9, width=32)),
    (NumberColumn(name="fixed", storage="double", scale=3, fixed_scale=True), DOUBLES),
    (
        NumberColumn(name="decimal", storage="decimal128(38, 4)", scale=4, fixed_scale=True),
        st.decimals(-(10**20), 10**20, places=4),
    ),
    (CategoryColumn(name="category"), TEXTS),
    (CategoryColumn(name="code", storage="int64"), st.integers(-3, 3)),
    (BooleanColumn(name="boolean", true_text="yes, sir", false_text=""), st.booleans()),
    (DateColumn(name="date", format="%m/%d/%Y"), st.dates()),
    (DateColumn(name="date64", storage="date64[ms]"), st.dates()),
    (DatetimeColumn(name="datetime", format="%d.%m.%Y %H:%M:%S.%f"), NAIVE),
    (
        DatetimeColumn(
            name="zoned", storage="timestamp[us, tz=UTC]", format="%Y-%m-%dT%H:%M:%S.%f%z"
        ),
        ZONED,
    ),
    (
        DatetimeColumn(name="nanoseconds", storage="timestamp[ns]", format="%Y-%m-%dT%H:%M:%S.%f"),
        NANOSECONDS,
    ),
    (IdentifierColumn(name="identifier", pattern=r"[A-Z]{2}"), TEXTS),
    (TextColumn(name="text"), TEXTS),
]
SCHEMA = TableSchema(columns=tuple(column for column, _ in KINDS))
ROWS = st.lists(st.tuples(*(st.none() | cell for _, cell in KINDS)), min_size=1, max_size=8)


# As it stands: blanks at the ends of cells and names that look like cells are what was written.
EXACT = ReadingSettings(strip_blanks=False, has_header=True)


def table_of(rows: list[tuple[object, ...]]) -> pa.Table:
    columns = [
        pa.array([row[i] for row in rows], arrow_type(column.storage))
        for i, (column, _) in enumerate(KINDS)
    ]
    return pa.table(columns, names=list(SCHEMA.names))


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet", "t.arrow"])
@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_a_file_gives_back_every_cell(name: str, rows: list[tuple[object, ...]]) -> None:
    table = table_of(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write_table(table, path, schema=SCHEMA)
        assert conform(read_noted(path, settings=EXACT), SCHEMA).equals(table)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_a_data_frame_gives_back_every_cell(rows: list[tuple[object, ...]]) -> None:
    table = table_of(rows)
    assert conform(read_table(to_pandas(table, SCHEMA)), SCHEMA).equals(table)


@settings(max_examples=30, deadline=None)
@given(rows=ROWS)
def test_a_dataset_gives_back_every_cell(rows: list[tuple[object, ...]]) -> None:
    table = table_of(rows)
    assert conform(read_table(to_dataset(table)), SCHEMA).equals(table)


@settings(max_examples=100, deadline=None)
@given(
    cells=st.lists(st.none() | TEXTS, min_size=1, max_size=6),
    # Reading takes blanks off the ends of names, and says so.
    name=TEXTS.map(str.strip).filter(len),
)
def test_one_column_of_any_name_comes_back(cells: list[str | None], name: str) -> None:
    table = pa.table({name: pa.array(cells, pa.string())})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        write_table(table, path)
        assert read_noted(path, settings=EXACT).equals(table)


@settings(max_examples=150, deadline=None)
@given(
    cells=st.lists(
        st.none()
        | st.sampled_from(["true", "0", "-0", "007", "1.50", "1e5", ".5", "NA", ""])
        | st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{1,25})?(e-?[0-9]{1,3})?", fullmatch=True)
        | st.from_regex(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]([T ]0[0-9]:0[0-9])?", fullmatch=True),
        min_size=1,
        max_size=6,
    )
)
def test_what_is_inferred_holds_the_cells_it_was_inferred_from(cells: list[str | None]) -> None:
    raw = pa.table({"x": pa.array(cells, pa.string())})
    schema = infer_schema(raw)
    table = conform(raw, schema)
    assert infer_schema(table).column("x").storage == schema.column("x").storage
    with tempfile.TemporaryDirectory() as folder:
        write_table(table, Path(folder) / "t.csv", schema=schema)
        assert conform(read_table(Path(folder) / "t.csv"), schema).equals(table)
