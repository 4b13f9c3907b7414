"""Tables as people keep them are read from where they begin, and what was decided is said."""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa
import pytest

from llmsynth.errors import SettingsError, TableError
from llmsynth.tables import read_table
from llmsynth.tables.reading import read_noted
from llmsynth.tables.reading_notes import ReadingWarning, notes_of
from llmsynth.tables.reading_settings import ReadingSettings, reading_as

ROWS = "a,1\nb,2\nc,3\nd,4\n"
TABLE = {"x": ["a", "b", "c", "d"], "y": ["1", "2", "3", "4"]}

READ: dict[str, tuple[str, dict[str, list[str | None]], list[str]]] = {
    "as it stands": ("x,y\n" + ROWS, TABLE, []),
    "comments": ("# by hand, in May\n# degC\nx,y\n" + ROWS, TABLE, ["lines_before_table"]),
    "one comment as wide as the table": (
        "# unit: a, b\nx,y\n" + ROWS,
        TABLE,
        ["lines_before_table"],
    ),
    "a header that begins with #": (
        "#x,y\n" + ROWS,
        {"#x": TABLE["x"], "y": TABLE["y"]},
        [],
    ),
    "title": ("Report 2024\n\nx,y\n" + ROWS, TABLE, ["lines_before_table"]),
    "title beside empty cells": ("Report 2024,\n,\nx,y\n" + ROWS, TABLE, ["lines_before_table"]),
    "row numbers": (
        ",x,y\n" + "".join(f"{i},{row}\n" for i, row in enumerate(ROWS.split())),
        TABLE,
        ["row_numbers"],
    ),
    "row numbers as pandas names them": (
        "Unnamed: 0,x,y\n" + "".join(f"{i},{row}\n" for i, row in enumerate(ROWS.split(), 1)),
        TABLE,
        ["row_numbers"],
    ),
    "labels without a name": (
        ",x,y\n" + "".join(f"r{row[0]},{row}\n" for row in ROWS.split()),
        {"column_1": ["ra", "rb", "rc", "rd"], **TABLE},
        ["unnamed_columns"],
    ),
    "a header one name short": (
        "x,y\n" + "".join(f"r{row[0]},{row}\n" for row in ROWS.split()),
        {"column_1": ["ra", "rb", "rc", "rd"], **TABLE},
        ["row_names", "unnamed_columns"],
    ),
    "a delimiter behind every row": (
        "x,y\n" + ROWS.replace("\n", ",\n"),
        TABLE,
        ["empty_columns"],
    ),
    "an empty last column": (
        "x,y,\n" + ROWS.replace("\n", ",\n"),
        TABLE,
        ["empty_columns"],
    ),
    "a delimiter behind some rows": ("x,y\na,1\nb,2,\nc,3\nd,4\n", TABLE, ["delimiters_at_end"]),
    "the same name twice": (
        "x,x\n" + ROWS,
        {"x": TABLE["x"], "x_2": TABLE["y"]},
        ["repeated_names"],
    ),
    "no header": (
        "a,1\nb,2\na,1\n" + ROWS,
        {"column_1": ["a", "b", "a", *"abcd"], "column_2": ["1", "2", "1", *"1234"]},
        ["no_header"],
    ),
    "years as names": ("x,2001,2002\n" + "a,1,2\nb,3,4\nc,5,6\n", {}, []),
    "blanks": ("x, y\na, 1\nb, 2\nc, 3\nd, 4\n", TABLE, ["blanks_stripped"]),
    "blanks alone among numbers": (
        "x,y\na,1\nb, \nc,3\n",
        {"x": ["a", "b", "c"], "y": ["1", None, "3"]},
        ["blanks_stripped", "blank_cells"],
    ),
    "blanks before quotes": (
        'x, y\n"a, b", 1\n"b", 2\n"c", 3\n',
        {"x": ["a, b", "b", "c"], "y": ["1", "2", "3"]},
        ["blanks_stripped"],
    ),
    "quotes behind blanks": (
        'y, x\n1, "a, b"\n2, "b"\n3, "c"\n',
        {"y": ["1", "2", "3"], "x": ["a, b", "b", "c"]},
        ["blanks_before_quotes", "blanks_stripped"],
    ),
    "escaped quotes": (
        'x,y\n"a \\"b\\", c",1\nb,2\n',
        {"x": ['a "b", c', "b"], "y": ["1", "2"]},
        ["escaped_quotes"],
    ),
    "single quotes": (
        "'x','y'\n'a, b','1'\n'it''s','2'\n",
        {"x": ["a, b", "it's"], "y": ["1", "2"]},
        ["single_quotes"],
    ),
    "decimal commas": (
        "x, net;y, net\na;1,5\nb;2,5\n",
        {"x, net": ["a", "b"], "y, net": ["1,5", "2,5"]},
        [],
    ),
    "carriage returns": ("x,y\r" + ROWS.replace("\n", "\r"), TABLE, []),
    "a closing line": ("x,y\n" + ROWS + "\nSource: nobody\n", TABLE, ["closing_lines"]),
    "a line of blanks": ("x,y\n" + ROWS + "  \n", TABLE, ["blank_lines"]),
}


@pytest.mark.parametrize("case", READ)
def test_a_table_is_read_as_its_owner_would(tmp_path: Path, case: str) -> None:
    text, cells, codes = READ[case]
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    table = read_noted(path)
    if cells:
        assert table.to_pydict() == cells
    else:
        assert table.column_names == text.splitlines()[0].split(",")
    assert [note.code for note in notes_of(table)] == codes
    assert all(note.text.endswith(".") for note in notes_of(table))


def written(folder: Path, text: str) -> Path:
    path = folder / "t.csv"
    path.write_bytes(text.encode())
    return path


def test_each_decision_can_be_changed(tmp_path: Path) -> None:
    path = written(tmp_path, ",x\n1,a \n2,b\n3,c \n")
    kept = read_noted(path, settings=ReadingSettings(keep_row_numbers=True, strip_blanks=True))
    assert kept.to_pydict() == {"column_1": ["1", "2", "3"], "x": ["a", "b", "c"]}
    path = written(tmp_path, "1,2\n3,4\n5,6\n9,7\n")
    assert read_noted(path).num_rows == 4
    assert read_noted(path, settings=ReadingSettings(header_line=1)).column_names == ["1", "2"]
    path = written(tmp_path, "x,y\na,b\n")
    assert read_noted(path, settings=ReadingSettings(has_header=False)).num_rows == 2
    path = written(tmp_path, "x,y\nz,w\na,b\n")
    assert read_noted(path, settings=ReadingSettings(header_line=2)).to_pydict() == {
        "z": ["a"],
        "w": ["b"],
    }
    path = written(tmp_path, "x y\n1 2\n")
    spaced = read_noted(path, settings=ReadingSettings(delimiter="blank"))
    assert spaced.to_pydict() == {"x": ["1"], "y": ["2"]}
    path = written(tmp_path, "x,y\na, 1\nb, 2\n")
    raw = read_noted(path, settings=ReadingSettings(strip_blanks=False))
    assert raw["y"].to_pylist() == [" 1", " 2"]


def test_settings_that_contradict_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="exclude each other"):
        ReadingSettings(header_line=1, has_header=False)
    with pytest.raises(SettingsError, match="one ASCII character"):
        ReadingSettings(delimiter="ab")
    with pytest.raises(TableError, match="line 9, but there is none"):
        read_table(written(tmp_path, "x\n1\n"), settings=ReadingSettings(header_line=9))


def test_a_warning_tells_each_note_and_the_table_keeps_it(tmp_path: Path) -> None:
    path = written(tmp_path, ",x\n1,a\n2,b\n")
    with pytest.warns(ReadingWarning, match="counts the rows from 1") as caught:
        table = read_table(path)
    warned = caught[0].message
    assert isinstance(warned, ReadingWarning)
    assert (warned.note,) == notes_of(table) == notes_of(read_table(table))


def test_a_record_of_a_note_holds_no_text_of_the_file(tmp_path: Path) -> None:
    (note,) = notes_of(read_noted(written(tmp_path, "Jo Doe's list\n\nx,y\n" + ROWS)))
    assert "Jo Doe" in str(note)
    assert "Jo Doe" not in str(note.to_json())


def test_settings_of_a_command_hold_for_what_it_reads(tmp_path: Path) -> None:
    path = written(tmp_path, ",x\n1,a\n2,b\n")
    with reading_as(ReadingSettings(keep_row_numbers=True)):
        assert read_noted(path).num_columns == 2
    assert read_noted(path).num_columns == 1


def test_mixed_encodings_are_named_and_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("x\né\nü\n".encode() + "à\n".encode("cp1252"))
    with pytest.raises(TableError, match=r"line 4.* --encoding .`mixed`"):
        read_table(path)
    table = read_noted(path, encoding="mixed")
    assert table["x"].to_pylist() == ["é", "ü", "à"]
    assert notes_of(table)[0].line == 4


def test_bytes_no_code_page_defines_are_kept_and_said(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("x,y\ncafé crème,1\nà la carte,2\n".encode("cp1252") + b"I\x90m,3\n")
    table = read_noted(path)
    assert table["x"].to_pylist() == ["café crème", "à la carte", "I\x90m"]
    assert [note.code for note in notes_of(table)] == ["encoding", "undefined_bytes"]


def test_rows_that_nothing_explains_are_refused(tmp_path: Path) -> None:
    for text, line in (("x,y\na,1\nb,2,3\nc\n", 3), ("x,y\na,1\nb\n", 3), ("x,y\n1,2,3\n4,5\n", 2)):
        with pytest.raises(TableError, match=f"line {line}: expected 2 cells"):
            read_table(written(tmp_path, text))


def test_twenty_thousand_names_cost_no_square(tmp_path: Path) -> None:
    # Quadratic, this took 23 seconds; what the CPU spends does not depend on other programs.
    path = written(tmp_path, ",".join(["v"] * 20_000) + "\n" + ",".join(["1"] * 20_000) + "\n")
    started = time.process_time()
    table = read_noted(path)
    assert table.num_columns == 20_000
    assert time.process_time() - started < 10
    assert len(set(table.column_names)) == 20_000


def test_a_table_in_memory_brings_its_notes_along(tmp_path: Path) -> None:
    table = read_noted(written(tmp_path, ",x\n1,a\n2,b\n"))
    assert isinstance(table, pa.Table)
    assert notes_of(read_noted(table, missing=["a"])) == notes_of(table)
