from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from llmsynth_serving.objects.profiles import BINS, of_table

from llmsynth.schema.inference import infer_schema
from llmsynth.tables.conforming import conform


def profiled(**columns: list[object]) -> dict[str, dict[str, object]]:
    raw = pa.table(columns)
    schema = infer_schema(raw)
    found = of_table(conform(raw, schema), schema)["columns"]
    return {column["name"]: column for column in found}


def test_whole_numbers_of_few_values_have_a_bin_each() -> None:
    age = profiled(age=[1, 2, 2, 4, None])["age"]
    assert age["histogram"] == [1, 2, 0, 1]
    assert (age["minimum"], age["maximum"], age["missing"]) == ("1", "4", 1)
    assert (age["mean"], age["quartiles"]) == (2.25, [1.75, 2.0, 2.5])


def test_a_wide_range_has_as_many_bins_as_a_drawing_shows() -> None:
    amount = profiled(amount=[float(i) for i in range(480)])["amount"]
    assert amount["histogram"] == [20] * BINS


def test_days_have_a_shape_and_texts_a_length() -> None:
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=i) for i in range(48)]
    texts = ["a longer text, " * (i % 7 + 1) + str(i) for i in range(48)]
    found = profiled(day=days, note=texts)
    assert sum(found["day"]["histogram"]) == 48  # type: ignore[arg-type]
    assert found["day"]["minimum"] == "2024-01-01"
    assert found["note"]["distinct"] == 48


def test_categories_come_most_frequent_first() -> None:
    city = profiled(city=["Oslo"] * 30 + ["Rome"] * 60 + ["Bonn"] * 10)["city"]
    assert city["top"] == [["Rome", 60], ["Oslo", 30], ["Bonn", 10]]
    assert city["distinct"] == 3


@pytest.mark.parametrize("cells", [[None, None, 3], [7, 7, 7]])
def test_a_column_of_one_value_is_drawn_too(cells: list[object]) -> None:
    column = profiled(a=cells, b=[1, 2, 3])["a"]
    assert sum(column["histogram"]) == 3 - column["missing"]  # type: ignore[arg-type,operator]
