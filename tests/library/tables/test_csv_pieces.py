"""A CSV file read in pieces holds what it holds when it is read whole."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmsynth.errors import TableError
from llmsynth.tables import read_table
from llmsynth.tables.csv_pieces import csv_pieces
from llmsynth.tables.reading import read_noted
from llmsynth.tables.reading_notes import notes_of

CELLS = st.text(alphabet='ab",;\n\ré1', max_size=6)
MANY = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def in_pieces(path: Path, piece_bytes: int, missing: tuple[str, ...] = ()) -> pa.Table:
    pieces = list(csv_pieces(path, missing=missing, piece_bytes=piece_bytes))
    return pa.concat_tables(pieces).combine_chunks()


def quoted(cell: str) -> str:
    doubled = cell.replace('"', '""')
    return f'"{doubled}"' if set(cell) & set('",;\n\r') or not cell else cell


@MANY
@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=12),
    st.integers(1, 60),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_pieces_put_together_are_the_whole_table(
    tmp_path: Path, rows: list[list[str]], piece_bytes: int, ending: str, has_mark: bool
) -> None:
    lines = ["x,y,z", *(",".join(map(quoted, row)) for row in rows)]
    path = tmp_path / "t.csv"
    path.write_bytes((b"\xef\xbb\xbf" if has_mark else b"") + ending.join(lines).encode())
    whole = read_table(path)
    assert whole.to_pylist() == [dict(zip("xyz", row, strict=True)) for row in rows]
    assert in_pieces(path, piece_bytes).equals(whole.combine_chunks())


@MANY
@given(st.text(alphabet='ab",\n\r5', max_size=80), st.integers(1, 40))
def test_whatever_stands_in_a_file_pieces_never_tell_of_other_rows(
    tmp_path: Path, text: str, piece_bytes: int
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"x,y\n" + text.encode())
    try:
        pieces = in_pieces(path, piece_bytes)
    except (TableError, pa.ArrowInvalid):
        return  # A fault, or no rows: the file is then read whole.
    assert pieces.equals(read_noted(path).combine_chunks())


@MANY
@given(
    st.sampled_from(["", "# by hand\n", "Report\n\n"]),
    st.sampled_from(["x,y", ",y", "y,y", "x,", "y", "5,6"]),
    st.lists(st.tuples(*[st.sampled_from(["", " ", "a", " a", "1", " 2 ", "a "])] * 2), max_size=9),
    st.sampled_from(["", ","]),
    st.integers(1, 60),
)
def test_what_is_decided_of_columns_is_decided_alike_in_pieces(
    tmp_path: Path, before: str, header: str, rows: list[tuple[str, str]], end: str, size: int
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(before + header + "\n" + "".join(f"{a},{b}{end}\n" for a, b in rows))
    try:
        pieces = list(csv_pieces(path, piece_bytes=size))
        whole = pa.concat_tables(pieces).combine_chunks()
    except (TableError, pa.ArrowInvalid):
        return
    read = read_noted(path)
    assert whole.equals(read.combine_chunks())
    assert notes_of(pieces[0]) == notes_of(read)


def test_blank_lines_are_missing_cells_of_a_single_column_only(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"x\n1\n\n\n2\n")
    for size in range(1, 9):
        assert in_pieces(path, size).to_pydict() == {"x": ["1", None, None, "2"]}
    path.write_bytes(b"\nx,y\n1,2\n\n\n3,?\n\n")
    for size in range(1, 9):
        found = in_pieces(path, size, ("?",))
        assert found.to_pydict() == {"x": ["1", "3"], "y": ["2", None]}


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("x,y\né,1\n".encode("cp1252"))
    with pytest.raises(TableError, match="not UTF-8"):
        in_pieces(path, 100)
