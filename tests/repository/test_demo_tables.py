"""The demo tables: what is in the files is what is said of them."""

from __future__ import annotations

import csv
import gzip

import pytest

from llmsynth import demo_tables
from llmsynth.errors import InputError

MAX_BYTES = 700_000


def test_together_they_are_small() -> None:
    sizes = [demo_tables.path(name).stat().st_size for name in demo_tables.names()]
    assert sum(sizes) < MAX_BYTES


@pytest.mark.parametrize("name", demo_tables.names())
def test_the_file_has_the_described_shape(name: str) -> None:
    with gzip.open(demo_tables.path(name), "rt", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    described = demo_tables.describe(name)
    assert {len(row) for row in rows} == {len(header)}
    assert (len(rows), len(header)) == (described.rows, described.columns)
    assert described.target in header


@pytest.mark.parametrize("name", demo_tables.names())
def test_the_compressed_bytes_hold_neither_time_nor_file_name(name: str) -> None:
    head = demo_tables.path(name).read_bytes()[:8]
    assert head == b"\x1f\x8b\x08\x00\x00\x00\x00\x00"


@pytest.mark.parametrize("name", demo_tables.names())
def test_a_loaded_table_has_the_described_shape(name: str) -> None:
    described = demo_tables.describe(name)
    assert demo_tables.load(name).shape == (described.rows, described.columns)


def test_question_marks_of_adult_are_missing() -> None:
    table = demo_tables.load("adult")
    nulls = {column: table[column].null_count for column in table.column_names}
    assert {column: count for column, count in nulls.items() if count} == {
        "workclass": 1836,
        "occupation": 1843,
        "native_country": 583,
    }


def test_question_marks_of_sick_thyroid_are_missing() -> None:
    table = demo_tables.load("sick_thyroid")
    assert sum(table[column].null_count for column in table.column_names) == 6064
    assert table["TBG"].null_count == table.num_rows


def test_a_note_keeps_its_commas_and_its_text() -> None:
    first = demo_tables.load("mts_dialog").slice(0, 1).to_pylist()[0]
    assert first["section_header"] == "GENHX"
    assert first["section_text"].startswith("The patient is a 76-year-old white female who")
    assert first["section_text"].endswith(
        "cough, congestion, nausea, vomiting, chest pain, chest pressure."
    )


def test_an_unknown_table_is_named_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'iris'.*adult, sick_thyroid, mts_dialog"):
        demo_tables.path("iris")
