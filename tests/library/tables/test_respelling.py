"""Cells that will be written otherwise than they came are said, and no others."""

from __future__ import annotations

import pyarrow as pa

from llmsynth.schema import infer_schema
from llmsynth.tables.conforming import conform
from llmsynth.tables.respelling import respelled_lines


def lines(texts: list[str | None]) -> list[str]:
    raw = pa.table({"x": texts})
    schema = infer_schema(raw)
    return respelled_lines(raw, conform(raw, schema), schema)


def test_mixed_spellings_are_said_with_count_and_example() -> None:
    (line,) = lines([f"{1000 + 7 * n:,}" for n in range(90)] + ["1500", "2600"])
    assert "2 of 92 cells" in line
    assert "'1500' as '1,500'" in line


def test_one_spelling_words_missing_cells_and_texts_are_not() -> None:
    assert lines([f"${n}.50" for n in range(40)]) == []
    assert lines([*(f"{n}.5" for n in range(40)), "N/A", None]) == []
    assert lines(["a", "b", None]) == []
    assert lines([f"2020-01-{1 + n % 28:02}" for n in range(40)]) == []
