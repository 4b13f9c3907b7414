"""Every way a table can be broken gives one TableError that says where and what to do."""

from __future__ import annotations

import datetime as dt
import gzip
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from llmsynth.errors import TableError
from llmsynth.tables import read_table

CASES: dict[str, tuple[str, bytes, str]] = {
    "empty": ("t.csv", b"", "is empty"),
    "only blank lines": ("t.csv", b"\n\r\n", "is empty"),
    "no rows": ("t.csv", b"a,b\n", "no row follows"),
    "no rows in one column": ("t.csv", b"a", "no row follows"),
    "short row": ("t.csv", b'a,b\n"x\ny",2\n3\n', "line 4: expected 2 cells .* found 1: '3'"),
    "long row": ("t.csv", b"a;b\n1;2\n1;2;3\n", "line 3: expected 2 cells .* found 3"),
    "long row after CRLF": ("t.csv", b"a,b\r\n1,2\r\n1,2,3\r\n", "line 3"),
    "open quote": ("t.csv", b'a,b\n1,2\n1,"x\n2,3\n', "line 3: the quote .* never closed"),
    "open quote in the header": ("t.csv", b'a,"b\n1,2\n', "line 1: the quote"),
    "text after quote": ("t.csv", b'a,b\n"x"y,2\n', "line 2: .* found 'y,2'"),
    "bad byte": (
        "t.csv",
        "a\né\nü\n".encode() + b"\xff\n",
        "line 4: the bytes 0xff 0x0a at offset 8",
    ),
    "odd UTF-16": ("t.csv", b"\xff\xfea\x00\n", "at offset 4"),
    "cut gzip": ("t.csv.gz", gzip.compress(b"a\n1\n" * 99)[:-9], "cut short"),
    "damaged gzip": ("t.csv.gz", b"\x1f\x8b\x08\x00zzzzzzzzzzzzzzzz", "damaged"),
    "not parquet": ("t.parquet", b"a,b\n1,2\n", "expected a Parquet file"),
    "damaged parquet": ("t.csv", b"PAR1xxxxxxxxPAR1", "expected a Parquet file"),
    "not arrow": ("t.feather", b"a,b\n1,2\n", "expected an Arrow or Feather file"),
    "excel": ("t.csv", b"PK\x03\x04xxxx", "the ZIP file is damaged"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_broken_file_is_named_with_place_and_remedy(tmp_path: Path, case: str) -> None:
    name, data, message = CASES[case]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(TableError, match=message) as caught:
        read_table(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"nowhere\.csv: the file cannot be read: No such"):
        read_table(tmp_path / "nowhere.csv")
    with pytest.raises(TableError, match="cannot be read"):
        read_table(tmp_path)


def test_an_unknown_encoding_name_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a\n1\n")
    with pytest.raises(TableError, match="cannot be read as 'klingon'"):
        read_table(path, encoding="klingon")


FRAMES: dict[str, tuple[pd.DataFrame, str]] = {
    "mixed": (
        pd.DataFrame({"x": [None, 5, "a"]}, dtype=object),
        r"column 'x': .* row 2 is int \(5\) .* row 3 is str",
    ),
    "lists": (pd.DataFrame({"x": [[1], [2]]}), "column 'x': cells of the nested type"),
    "infinite": (pd.DataFrame({"x": [1.0, float("-inf")]}), "column 'x', data row 2: -inf is not"),
    "no rows": (pd.DataFrame({"x": []}), "no rows"),
    "no columns": (pd.DataFrame(), "no columns"),
    "same name": (pd.DataFrame([[1, 2]], columns=["x", "x"]), "2 columns are named 'x'"),
    "no name": (pd.DataFrame([[1]], columns=[""]), "column 1 has no name"),
    "bytes": (pd.DataFrame({"x": [b"a"]}), "column 'x': cells of bytes"),
    "objects": (pd.DataFrame({"x": [object()]}), "column 'x'"),
}


@pytest.mark.parametrize("case", FRAMES)
def test_a_broken_frame_is_named_with_its_column(case: str) -> None:
    frame, message = FRAMES[case]
    with pytest.raises(TableError, match=message) as caught:
        read_table(frame)
    assert caught.value.hint


def test_nested_parquet_columns_are_refused(tmp_path: Path) -> None:
    table = pa.table({"ok": [1], "bad": [{"a": 1}]})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(TableError, match=r"t\.parquet, column 'bad': cells of the nested type"):
        read_table(tmp_path / "t.parquet")


def test_days_no_calendar_text_can_hold_are_refused() -> None:
    days = pa.array([0, 2_932_897], pa.int32()).cast(pa.date32())
    with pytest.raises(TableError, match="data row 2: 2932897 days since 1970 lie outside"):
        read_table(pa.table({"d": days}))


def test_the_first_and_last_day_are_read() -> None:
    table = pa.table({"d": [dt.date(1, 1, 1), dt.date(9999, 12, 31)]})
    assert read_table(table).equals(table)


def test_something_else_is_refused() -> None:
    with pytest.raises(TableError, match="Expected a path or a table, got list"):
        read_table([1, 2])
