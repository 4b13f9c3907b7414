"""Files of other programs are told by their first bytes, whatever they are called."""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import io
import json
import lzma
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import duckdb
import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.orc
import pyreadstat
import pytest

from llmsynth.errors import TableError
from llmsynth.schema import CategoryColumn, infer_schema
from llmsynth.tables.reading import read_noted
from llmsynth.tables.reading_notes import notes_of
from llmsynth.tables.reading_settings import ReadingSettings

CSV = b"n,s\n1,a\n2,b\n"
CELLS = {"n": ["1", "2"], "s": ["a", "b"]}
TYPED = {"n": [1, 2], "s": ["a", "b"]}


def written(folder: Path, data: bytes, name: str = "t.dat") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("t.csv")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize(
    "pack",
    [gzip.compress, bz2.compress, lzma.compress, tarred, lambda data: zipped({"t.csv": data})],
    ids=["gzip", "bzip2", "xz", "tar", "zip"],
)
def test_packed_files_are_unpacked(tmp_path: Path, pack) -> None:  # type: ignore[no-untyped-def]
    data = pack(CSV)
    assert read_noted(written(tmp_path, data)).to_pydict() == CELLS
    if pack is not tarred:  # whose file lies whole in its first third
        with pytest.raises(TableError, match="damaged"):
            read_noted(written(tmp_path, data[: len(data) // 3]))
    with pytest.raises(TableError, match="larger than the 5 bytes"):
        read_noted(written(tmp_path, data), settings=ReadingSettings(max_bytes=5))


def test_zstd_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "t.zst"
    with pa.CompressedOutputStream(str(path), "zstd") as stream:
        stream.write(CSV)
    assert read_noted(path).to_pydict() == CELLS


def test_an_archive_of_several_files_wants_one_named(tmp_path: Path) -> None:
    path = written(tmp_path, zipped({"a.csv": CSV, "b.csv": b"x\n1\n", "__MACOSX/a": b""}))
    with pytest.raises(TableError, match=r"2 files: 'a.csv', 'b.csv'. Name one with --member"):
        read_noted(path)
    assert read_noted(path, settings=ReadingSettings(member="b.csv"))["x"].to_pylist() == ["1"]
    with pytest.raises(TableError, match=r"no single file 'c.csv'"):
        read_noted(path, settings=ReadingSettings(member="c.csv"))


def test_a_workbook_is_read_from_where_its_table_begins(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["Report"], [], ["n", "day"], [1, dt.date(2024, 5, 1)], [2.5, None], [3, None]):
        sheet.append(row)
    book.create_sheet("Two").append(["x"])
    book["Two"].append([7])
    book.save(tmp_path / "t.xlsx")
    table = read_noted(tmp_path / "t.xlsx")
    assert table.to_pydict() == {"n": ["1", "2.5", "3"], "day": ["2024-05-01", None, None]}
    assert {"sheet", "lines_before_table"} <= {note.code for note in notes_of(table)}
    for name in ("Two", "2"):
        other = read_noted(tmp_path / "t.xlsx", settings=ReadingSettings(sheet=name))
        assert other.to_pydict() == {"x": ["7"]}
    with pytest.raises(TableError, match=r"no sheet 'Three'. It has 'Sheet', 'Two'"):
        read_noted(tmp_path / "t.xlsx", settings=ReadingSettings(sheet="Three"))


JSON = {
    "lines": b'{"n": 1, "s": "a"}\n{"n": 2, "s": "b"}\n',
    "records": json.dumps([{"n": 1, "s": "a"}, {"n": 2, "s": "b"}], indent=1).encode(),
    "records under a name": b'{"count": 2, "data": [{"n": 1, "s": "a"}, {"n": 2, "s": "b"}]}',
    "columns": b'{"n": [1, 2], "s": ["a", "b"]}',
}


@pytest.mark.parametrize("shape", JSON)
def test_json_is_read_in_its_usual_shapes(tmp_path: Path, shape: str) -> None:
    assert read_noted(written(tmp_path, JSON[shape], "t.json")).to_pydict() == TYPED


def test_json_with_gaps_objects_and_mixed_types_is_said(tmp_path: Path) -> None:
    table = read_noted(written(tmp_path, b'{"a": {"b": 1}, "c": 5}\n{"c": "x"}\n', "t.jsonl"))
    assert table.to_pydict() == {"a.b": [1, None], "c": ["5", "x"]}
    assert [note.code for note in notes_of(table)] == ["nested_records", "mixed_types"]
    with pytest.raises(TableError, match="line 2: expected one JSON record"):
        read_noted(written(tmp_path, b'{"a": 1}\n{"a": \n', "t.jsonl"))
    with pytest.raises(TableError, match="lists do not fit"):
        read_noted(written(tmp_path, b'{"a": [1]}\n{"a": [2]}\n', "t.jsonl"))
    with pytest.raises(TableError, match="no table"):
        read_noted(written(tmp_path, b"[1, 2]", "t.json"))


def test_databases_are_read_a_table_at_a_time(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "t.sqlite")
    connection.execute("CREATE TABLE one (n INTEGER, s TEXT)")
    connection.executemany("INSERT INTO one VALUES (?, ?)", [(1, "a"), (2, "b")])
    connection.commit()
    assert read_noted(tmp_path / "t.sqlite").to_pydict() == TYPED
    connection.execute("CREATE TABLE two AS SELECT * FROM one WHERE n = 1")
    connection.commit()
    connection.close()
    with pytest.raises(TableError, match=r"2 tables: 'one', 'two'. Name one with --database-table"):
        read_noted(tmp_path / "t.sqlite")
    chosen = ReadingSettings(database_table="two")
    assert read_noted(tmp_path / "t.sqlite", settings=chosen).num_rows == 1
    with pytest.raises(TableError, match="no table 'three'"):
        read_noted(tmp_path / "t.sqlite", settings=ReadingSettings(database_table="three"))


def test_a_duckdb_file_gives_its_table_and_no_view_reaches_other_files(tmp_path: Path) -> None:
    secret = written(tmp_path, b"secret\nx\n", "secret.csv")
    connection = duckdb.connect(str(tmp_path / "t.duckdb"))
    connection.execute("CREATE TABLE one AS SELECT 1 AS n, 'a' AS s")
    connection.execute(f"CREATE VIEW spy AS SELECT * FROM read_csv('{secret}')")
    connection.close()
    assert read_noted(tmp_path / "t.duckdb").to_pydict() == {"n": [1], "s": ["a"]}
    with pytest.raises(TableError, match="no table 'spy'"):
        read_noted(tmp_path / "t.duckdb", settings=ReadingSettings(database_table="spy"))


def test_labels_of_stata_and_spss_become_categories_in_their_order(tmp_path: Path) -> None:
    levels = ["low", "mid", "high"]
    frame = pd.DataFrame({"level": pd.Categorical(levels * 4, levels, ordered=True)})
    frame.to_stata(tmp_path / "t.dta", write_index=False)
    codes = pd.DataFrame({"level": [1.0, 2.0, 3.0] * 4})
    labels = {"level": {1.0: "low", 2.0: "mid", 3.0: "high"}}
    pyreadstat.write_sav(codes, tmp_path / "t.sav", variable_value_labels=labels)
    for name in ("t.dta", "t.sav"):
        (column,) = infer_schema(read_noted(tmp_path / name)).columns
        assert isinstance(column, CategoryColumn)
        assert column.categories == ("low", "mid", "high")


def test_sas_transport_and_orc_are_read(tmp_path: Path) -> None:
    frame = pd.DataFrame({"N": [1.0, 2.0], "S": ["a", "b"]})
    for version in (5, 8):
        pyreadstat.write_xport(frame, tmp_path / "t.xpt", file_format_version=version)
        assert read_noted(tmp_path / "t.xpt").to_pydict() == {"N": [1.0, 2.0], "S": ["a", "b"]}
    pyarrow.orc.write_table(pa.table(TYPED), tmp_path / "t.orc")
    assert read_noted(tmp_path / "t.orc").to_pydict() == TYPED


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"%PDF-1.7\n", "PDF"),
        (b"\x80\x04\x95abc", "pickle"),
        (b"<html><table>", "web page"),
        (b"SQLite format 3\0broken", "SQLite"),
        (b"<stata_dta>broken", "Stata"),
        (b"$FL2broken", "SPSS"),
        (b"ORCbroken", "ORC"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "workbook"),
        (b"12345678DUCKbroken", "DuckDB"),
        (b"HEADER RECORD*******LIBRARY HEADER", "SAS"),
    ],
)
def test_other_and_broken_files_are_named(tmp_path: Path, data: bytes, what: str) -> None:
    with pytest.raises(TableError, match=what) as caught:
        read_noted(written(tmp_path, data))
    assert caught.value.hint


def test_frames_of_other_libraries_come_in_with_their_types() -> None:
    frame = pl.DataFrame({"n": [1, 2, 3], "c": ["b", "a", "b"]})
    frame = frame.with_columns(pl.col("c").cast(pl.Enum(["b", "a"])))
    table = read_noted(frame)
    assert table.to_pydict() == {"n": [1, 2, 3], "c": ["b", "a", "b"]}
    column = infer_schema(table).column("c")
    assert isinstance(column, CategoryColumn)
    assert column.categories == ("b", "a")
    assert read_noted(duckdb.sql("SELECT 1 AS n, 'a' AS s")).to_pydict() == {"n": [1], "s": ["a"]}
    assert read_noted([{"n": 1}, {"n": 2}]).to_pydict() == {"n": [1, 2]}
    assert read_noted({"n": [1, 2]}).to_pydict() == {"n": [1, 2]}
    assert read_noted(io.StringIO("n,s\n1,a\n")).to_pydict() == {"n": ["1"], "s": ["a"]}
    assert read_noted(pd.Series([1, 2], name="n")).to_pydict() == {"n": [1, 2]}


def test_declared_types_are_kept_exactly_and_said() -> None:
    frame = pd.DataFrame(
        {
            "time": [dt.time(1, 2, 3), None],
            "span": [pd.Timedelta("1D 2h 3.5s"), pd.NaT],
            "month": pd.PeriodIndex(["2024-01", "2024-02"], freq="M"),
            "bin": pd.cut(pd.Series([1, 5]), [0, 2, 6]),
            "wide": pd.Series([2**70, None], dtype=object),
        }
    )
    table = read_noted(frame)
    assert table["time"].to_pylist() == ["01:02:03", None]
    assert table["span"].to_pylist() == ["26:00:03.500", None]
    assert table["month"].to_pylist() == ["2024-01", "2024-02"]
    assert table["bin"].to_pylist() == ["(0, 2]", "(2, 6]"]
    assert table["wide"].to_pylist() == [2**70, None]
    assert {note.column for note in notes_of(table)} == {"time", "span", "month", "bin"}


def test_a_named_index_is_a_column_and_moments_keep_their_zones() -> None:
    frame = pd.DataFrame({"v": [1, 2]}, index=pd.Index(["k", "l"], name="key"))
    table = read_noted(frame)
    assert table.to_pydict() == {"key": ["k", "l"], "v": [1, 2]}
    assert [note.code for note in notes_of(table)] == ["index_kept"]
    moments = [pd.Timestamp("2024-01-01", tz=zone) for zone in ("Europe/Paris", "Asia/Tokyo")]
    texts = read_noted(pd.DataFrame({"m": pd.Series(moments, dtype=object)}))["m"].to_pylist()
    assert texts == ["2024-01-01T00:00:00+01:00", "2024-01-01T00:00:00+09:00"]


def test_durations_and_times_of_day_are_learned_as_such() -> None:
    spans = pd.to_timedelta(range(3000, 150_000, 1001), "s")
    clocks = [dt.time(at % 24, at % 60, at % 7) for at in range(len(spans))]
    schema = infer_schema(read_noted(pd.DataFrame({"span": spans, "clock": clocks})))
    assert [column.kind for column in schema.columns] == ["quantity", "quantity"]
