"""What read_table takes in, and what stays data on the way."""

from __future__ import annotations

import datetime as dt
import gzip
from decimal import Decimal
from pathlib import Path

import datasets
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from llmsynth.tables import read_table
from llmsynth.tables.reading import read_noted
from llmsynth.tables.reading_notes import ReadingWarning, notes_of


def written(folder: Path, data: bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def test_csv_cells_stay_the_texts_they_are(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, b"a,b\n007,NA\n1.50,None\n?, x \n"))
    assert table.to_pydict() == {"a": ["007", "1.50", "?"], "b": ["NA", "None", " x "]}
    assert table.schema.types == [pa.string(), pa.string()]


def test_only_an_unquoted_empty_cell_is_missing(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, b'a,b\n,""\n"",\n'))
    assert table.to_pydict() == {"a": [None, ""], "b": ["", None]}


def test_declared_markers_are_missing_too(tmp_path: Path) -> None:
    path = written(tmp_path, b"a,b\n?,-9\n1,2\n")
    assert read_table(path, missing=("?", "-9")).to_pydict() == {"a": [None, "1"], "b": [None, "2"]}


def test_one_marker_may_be_given_as_text(tmp_path: Path) -> None:
    path = written(tmp_path, b"a,b\nNA,N\n")
    assert read_table(path, missing="NA").to_pydict() == {"a": [None], "b": ["N"]}


def test_markers_of_typed_numbers_compare_by_value() -> None:
    table = pa.table({"i": [-9, 1], "f": [-9.0, 0.5], "d": [dt.date(2020, 1, 1)] * 2})
    out = read_table(table, missing=("-9", "none"))
    assert out["i"].to_pylist() == [None, 1]
    assert out["f"].to_pylist() == [None, 0.5]
    assert out["d"].null_count == 0


def test_quotes_delimiters_and_line_breaks_inside_cells_survive(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, b'a,b\r\n"x, ""y""","l1\r\nl2"\r\nz"z,q\r\n'))
    assert table.to_pydict() == {"a": ['x, "y"', 'z"z'], "b": ["l1\r\nl2", "q"]}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_told_from_the_header(tmp_path: Path, delimiter: str) -> None:
    text = delimiter.join(["a", "b", "c"]) + "\n" + delimiter.join(["1,5", "x", "y"]) + "\n"
    if delimiter == ",":
        text = text.replace("1,5", '"1,5"')
    table = read_table(written(tmp_path, text.encode()))
    assert table.to_pydict() == {"a": ["1,5"], "b": ["x"], "c": ["y"]}


def test_the_delimiter_that_fits_the_rows_wins(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, b"name;price (EUR, net)\nx;1,5\ny;2\n"))
    assert table.column_names == ["name", "price (EUR, net)"]


def test_a_blank_line_is_a_missing_cell_only_in_a_single_column(tmp_path: Path) -> None:
    assert read_table(written(tmp_path, b"a\n1\n\n2\n"))["a"].to_pylist() == ["1", None, "2"]
    assert read_table(written(tmp_path, b"a\n\n"))["a"].to_pylist() == [None]
    assert read_table(written(tmp_path, b"\na,b\n1,2\n\n\n"))["a"].to_pylist() == ["1"]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "latin-1"]
)
def test_western_encodings_are_told_apart(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, "name,city\nJosé,Málaga\nZoë,Genève\n".encode(encoding))
    table = read_noted(path)
    assert table.to_pydict() == {"name": ["José", "Zoë"], "city": ["Málaga", "Genève"]}
    is_guessed = encoding in ("cp1252", "latin-1")
    assert [note.code for note in notes_of(table)] == ["encoding"] * is_guessed


def test_another_script_is_told_by_its_letters(tmp_path: Path) -> None:
    text = "имя,город\n" + "Иван,Москва\nОльга,Санкт-Петербург\nПётр,Нижний Новгород\n" * 4
    with pytest.warns(ReadingWarning, match="line 1.* cp1251"):
        table = read_table(written(tmp_path, text.encode("cp1251")))
    assert table["город"][0].as_py() == "Москва"


def test_a_named_encoding_is_not_second_guessed(tmp_path: Path) -> None:
    path = written(tmp_path, "jméno\nŘehoř\n".encode("cp1250"))
    assert read_table(path, encoding="cp1250").to_pydict() == {"jméno": ["Řehoř"]}


def test_gzip_is_told_by_content(tmp_path: Path) -> None:
    data = gzip.compress(b"a\n1\n")
    for name in ("t.csv.gz", "t.csv"):
        assert read_table(written(tmp_path, data, name))["a"].to_pylist() == ["1"]


def test_parquet_and_arrow_files_keep_their_types(tmp_path: Path) -> None:
    table = pa.table({"a": pa.array([1, None], pa.int32()), "b": [Decimal("1.50"), None]})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    pyarrow.feather.write_feather(table, tmp_path / "t.feather")
    with pa.ipc.new_stream(tmp_path / "t.arrow", table.schema) as writer:
        writer.write_table(table)
    for name in ("t.parquet", "t.feather", "t.arrow"):
        assert read_table(tmp_path / name).equals(table), name


def test_a_data_frame_comes_in_with_nan_as_missing() -> None:
    frame = pd.DataFrame(
        {
            "i": pd.array([1, None], dtype="Int64"),
            "f": [1.0, float("nan")],
            "s": ["x", None],
            "c": pd.Categorical(["u", "v"]),
            7: [True, False],
        }
    )
    table = read_table(frame)
    assert table.to_pydict() == {
        "i": [1, None],
        "f": [1.0, None],
        "s": ["x", None],
        "c": ["u", "v"],
        "7": [True, False],
    }
    assert table.schema.field("c").type == pa.string()


def test_a_dataset_comes_in_with_its_selection() -> None:
    dataset = datasets.Dataset.from_dict({"a": [1, 2, 3]}).select([2, 0])
    assert read_table(dataset).to_pydict() == {"a": [3, 1]}


def test_encodings_of_arrow_columns_are_undone() -> None:
    table = pa.table(
        {
            "d": pa.array(["x", None, "x"]).dictionary_encode(),
            "l": pa.array(["x", None, "y"], pa.large_string()),
            "n": pa.nulls(3),
            "f": pa.array([float("nan"), 1.0, None]),
        }
    )
    out = read_table(table)
    assert out.schema.types == [pa.string(), pa.string(), pa.string(), pa.float64()]
    assert out["f"].null_count == 2


def test_a_wide_and_long_csv_reads_whole(tmp_path: Path) -> None:
    row = ",".join(f'"v{i}"' if i % 3 else str(i) for i in range(30)) + "\n"
    header = ",".join(f"c{i}" for i in range(30)) + "\n"
    table = read_table(written(tmp_path, (header + row * 20_000).encode()))
    assert table.shape == (20_000, 30)
    assert table["c29"].unique().to_pylist() == ["v29"]
