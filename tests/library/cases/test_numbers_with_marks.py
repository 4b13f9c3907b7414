"""Columns of numbers with marks, words, blanks or zeros ahead: numbers, written as they came."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pyarrow as pa
import pytest

from llmsynth import Synthesizer, write_table
from llmsynth.codec.row_language import RowLanguage
from llmsynth.privacy.rare_values import protect_rare_values
from llmsynth.schema import NumberColumn, TableSchema, infer_schema
from llmsynth.tables.conforming import conform
from llmsynth.tables.csv_writing import csv_rows
from llmsynth.tables.reading import read_noted
from llmsynth.tables.reading_settings import ReadingSettings

RANDOM = random.Random(3)
VALUES = [RANDOM.gauss(0, 2000) for _ in range(300)]
COLUMNS: dict[str, list[str]] = {
    "price": [f"${abs(v):,.2f}" for v in VALUES],
    "margin": [f"{abs(v) / 50:.1f}%" for v in VALUES],
    "balance": [f"({-v:,.0f})" if v < 0 else f"{v:,.0f}" for v in VALUES],
    "betrag": [f"{v:.2f} €".replace(".", ",") for v in VALUES],
    "code": [f"{abs(int(v)):06d}" for v in VALUES],
    "p_value": [f"{abs(v) ** 3 / 1e13:.3g}" for v in VALUES],
    "score": [f"{v:+.1f}" for v in VALUES],
    "height": [f" {abs(v):.1f}" for v in VALUES],
    "age": [
        "N/A" if at % 9 == 0 else "<0.05" if at % 23 == 0 else str(abs(int(v)))
        for at, v in enumerate(VALUES)
    ],
    "charges": [
        " " if at % 40 == 0 else f"{abs(v):.2f}".rstrip("0") for at, v in enumerate(VALUES)
    ],
}
TABLE = pa.table(COLUMNS)
KEPT = ReadingSettings(strip_blanks=False)
"""Blanks are a part of two of the spellings."""


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_of_numbers_is_learned_as_numbers_and_written_as_it_came(name: str) -> None:
    schema = TableSchema.from_json(infer_schema(TABLE.select([name])).to_json())
    (column,) = schema.columns
    assert isinstance(column, NumberColumn)
    table = conform(TABLE.select([name]), schema)
    language = RowLanguage(schema)
    decoded = language.decode(language.encode(table))
    written = csv_rows(decoded, schema).decode().splitlines()
    assert [cell.strip('"') if cell != '""' else "" for cell in written] == COLUMNS[name]
    row = {name: table[name][0].as_py()}
    assert language.parse(language.serialize(row)) == row


def test_words_keep_their_shares_and_rare_ones_are_not_learned() -> None:
    cells = [*COLUMNS["age"], "refused"]
    table = pa.table({"age": cells})
    schema = infer_schema(table)
    column = schema.columns[0]
    assert isinstance(column, NumberColumn)
    assert column.words == ("N/A", "<0.05", "refused")
    protected = protect_rare_values(conform(table, schema), schema)
    kept = protected.schema.columns[0]
    assert isinstance(kept, NumberColumn)
    assert kept.words == ("N/A", "<0.05")
    assert protected.left_out["age"].nonzero()[0].tolist() == [300]
    assert protected.extremes["age"] > 0
    RowLanguage(protected.schema).encode(protected.table)


def test_a_fit_gives_back_every_spelling_and_the_words(tmp_path: Path) -> None:
    source = tmp_path / "kept.csv"
    write_table(TABLE, source)
    synthesizer = Synthesizer(max_epochs=2).fit(read_noted(source, settings=KEPT))
    sample = synthesizer.sample(300)
    out = tmp_path / "made.csv"
    write_table(sample.table, out, schema=sample.schema)
    made = read_noted(out, settings=KEPT)
    marks = {
        "price": r"\$[\d,]+\.\d\d",
        "margin": r"\d+\.\d%",
        "balance": r"[\d,]+|\([\d,]+\)",
        "betrag": r"-?\d+,\d\d €",
        "code": r"\d{6}",
        "score": r"[+-]\d+\.\d",
        "height": r" \d+\.\d",
        "age": r"\d+|N/A|<0\.05",
        "charges": r"[\d.]+| ",
    }
    for name, pattern in marks.items():
        assert all(re.fullmatch(pattern, cell) for cell in made[name].to_pylist()), name
    words = sum(cell == "N/A" for cell in made["age"].to_pylist())
    assert 5 < words < 90
