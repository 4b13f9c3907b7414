"""How write_table and TableWriter spell cells, and what a broken run leaves behind."""

from __future__ import annotations

import datetime as dt
import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from llmsynth.errors import TableError
from llmsynth.schema import (
    BooleanColumn,
    DateColumn,
    DatetimeColumn,
    NumberColumn,
    TableSchema,
    TextColumn,
)
from llmsynth.tables import TableWriter, conform, read_table, to_pandas, write_table

SCHEMA = TableSchema(
    columns=(
        NumberColumn(name="n", storage="double", scale=2, fixed_scale=True),
        NumberColumn(name="f", storage="double", scale=2),
        BooleanColumn(name="b", true_text="Y", false_text="N"),
        DateColumn(name="d", format="%d.%m.%Y"),
        DatetimeColumn(
            name="z",
            storage="timestamp[us, tz=UTC]",
            resolution="millisecond",
            format="%Y-%m-%d %H:%M:%S.%f%z",
        ),
        TextColumn(name="t"),
    )
)
TABLE = pa.table(
    {
        "n": [1.5, None],
        "f": [1.5, 22.0],
        "b": [True, None],
        "d": [dt.date(5, 1, 31), None],
        "z": pa.array(
            [dt.datetime(2020, 1, 2, 3, 4, 5, 60000), None], pa.timestamp("us", tz="UTC")
        ),
        "t": ['say "a,b"', ""],
    }
)
TEXT = 'n,f,b,d,z,t\n1.50,1.5,Y,31.01.0005,2020-01-02 03:04:05.060+00:00,"say ""a,b"""\n,22,,,,""\n'


def test_csv_cells_are_spelled_as_the_schema_says(tmp_path: Path) -> None:
    write_table(TABLE, tmp_path / "t.csv", schema=SCHEMA)
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == TEXT
    assert conform(read_table(tmp_path / "t.csv"), SCHEMA).equals(TABLE)


def test_gzip_output_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    write_table(TABLE, tmp_path / "a.csv.gz", schema=SCHEMA)
    write_table(TABLE, tmp_path / "b.csv.gz", schema=SCHEMA)
    first = (tmp_path / "a.csv.gz").read_bytes()
    assert gzip.decompress(first).decode() == TEXT
    assert first == (tmp_path / "b.csv.gz").read_bytes()


def test_without_a_schema_cells_are_spelled_by_type(tmp_path: Path) -> None:
    write_table(TABLE, tmp_path / "t.csv")
    row = (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()[1]
    assert row == '1.5,1.5,true,0005-01-31,2020-01-02T03:04:05.060+00:00,"say ""a,b"""'


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet", "t.arrow", "t.feather"])
def test_chunks_stream_into_one_table(tmp_path: Path, name: str) -> None:
    with TableWriter(tmp_path / name, schema=SCHEMA) as writer:
        writer.write(TABLE)
        writer.write(TABLE.slice(0, 0))
        writer.write(TABLE.slice(1))
        assert not (tmp_path / name).exists()
    table = conform(read_table(tmp_path / name), SCHEMA)
    assert table.equals(pa.concat_tables([TABLE, TABLE.slice(1)]))
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "partial"),
    [
        ("t.csv", "t.partial.csv"),
        ("t.csv.gz", "t.partial.csv.gz"),
        ("t.parquet", "t.partial.parquet"),
    ],
)
def test_a_broken_run_leaves_its_rows_under_a_partial_name(
    tmp_path: Path, name: str, partial: str
) -> None:
    def broken_run() -> None:
        with TableWriter(tmp_path / name, schema=SCHEMA) as writer:
            writer.write(TABLE)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_run()
    assert [path.name for path in tmp_path.iterdir()] == [partial]
    assert conform(read_table(tmp_path / partial), SCHEMA).equals(TABLE)


def test_a_chunk_of_another_shape_is_refused(tmp_path: Path) -> None:
    with TableWriter(tmp_path / "t.parquet") as writer:
        writer.write(pa.table({"a": [1]}))
        with pytest.raises(TableError, match="columns and types of the first"):
            writer.write(pa.table({"a": ["1"]}))


def test_writing_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no table was written"), TableWriter(tmp_path / "t.csv"):
        pass


@pytest.mark.parametrize("name", ["t.xlsx", "t", ".csv"])
def test_an_unknown_ending_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(TableError, match="cannot tell the format"):
        write_table(TABLE, tmp_path / name)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.arrow"])
def test_a_folder_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(TableError, match="cannot be written"):
        write_table(TABLE, tmp_path / "nowhere" / name)


def test_a_format_that_would_round_is_refused(tmp_path: Path) -> None:
    schema = TableSchema(columns=(DatetimeColumn(name="m", format="%Y-%m-%d %H:%M"),))
    table = pa.table({"m": [None, dt.datetime(2020, 1, 1, 0, 0, 7)]})
    with pytest.raises(TableError, match="Column 'm': its format would lose a part of 2020"):
        write_table(table, tmp_path / "t.csv", schema=schema)


def test_pandas_keeps_whole_numbers_whole_and_days_as_days() -> None:
    table = pa.table(
        {"i": [1, None], "j": [1, 2], "b": [True, None], "d": [dt.date(2020, 1, 2)] * 2}
    )
    frame = to_pandas(table)
    assert [str(kind) for kind in frame.dtypes] == ["Int64", "int64", "boolean", "datetime64[s]"]
    assert frame["d"].dt.day.tolist() == [2, 2]


def test_a_missing_cell_does_not_round_the_moments_beside_it(tmp_path: Path) -> None:
    moments = [None, dt.datetime(2256, 1, 1, 0, 0, 0, 1)]
    table = pa.table({"m": pa.array(moments, pa.timestamp("us"))})
    write_table(table, tmp_path / "t.csv")
    text = (tmp_path / "t.csv").read_text(encoding="utf-8")
    assert text == "m\n\n2256-01-01T00:00:00.000001\n"
