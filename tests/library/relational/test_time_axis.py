"""Times as ticks and back, for every kind of column that can order rows."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from llmsynth.errors import SchemaError, TableError
from llmsynth.relational.time_axis import TimeAxis
from llmsynth.schema import CategoryColumn, DateColumn, DatetimeColumn, infer_schema

DAY = dt.date(2024, 2, 28)
MOMENT = dt.datetime(2024, 2, 28, 23, 59, 7)


def axis_of(cells: pa.Array) -> TimeAxis:
    return TimeAxis(infer_schema(pa.table({"t": cells})).columns[0])


@pytest.mark.parametrize(
    ("cells", "gaps"),
    [
        (pa.array([DAY, DAY + dt.timedelta(days=2), dt.date(1969, 12, 31)]), [2, -19784]),
        (pa.array([MOMENT, MOMENT + dt.timedelta(seconds=61)]), [61]),
        (pa.array([MOMENT], pa.timestamp("ns", tz="UTC")), []),
        (pa.array([DAY, DAY], pa.date64()), [0]),
        (pa.array([1.5, 2.25, -3.0]), [75, -525]),
        (pa.array([7, 7, 1000], pa.int16()), [0, 993]),
        (pa.array(["2024-01-31", "2024-02-01"]).cast(pa.date32()), [1]),
    ],
)
def test_ticks_come_back_as_the_same_cells(cells: pa.Array, gaps: list[int]) -> None:
    axis = axis_of(cells)
    ticks = axis.ticks(pa.chunked_array([cells]))
    assert np.diff(ticks).tolist() == gaps
    assert axis.cells(ticks).equals(cells)
    assert axis.last == ticks.max()


def test_whole_number_codes_are_numbers_here() -> None:
    visits = CategoryColumn(name="visit", storage="int64", categories=("1", "2", "10"))
    axis = TimeAxis(visits)
    assert axis.ticks(pa.chunked_array([pa.array([1, 10, 2])])).tolist() == [1, 10, 2]


def test_words_order_nothing() -> None:
    with pytest.raises(SchemaError, match="ordered by numbers, dates or moments"):
        TimeAxis(CategoryColumn(name="stage", categories=("a", "b")))


def test_a_missing_time_is_refused() -> None:
    axis = TimeAxis(DateColumn(name="t", minimum="2024-01-01", maximum="2024-12-31"))
    with pytest.raises(TableError, match="1 of its cells are missing"):
        axis.ticks(pa.chunked_array([pa.array([DAY, None])]))


def test_the_calendar_knows_weekdays_and_hours() -> None:
    column = DatetimeColumn(name="t", minimum="2024-01-01T00:00:00", maximum="2024-12-31T00:00:00")
    axis = TimeAxis(column)
    parts = axis.calendar(axis.ticks(pa.chunked_array([pa.array([MOMENT], pa.timestamp("us"))])))
    assert {name: values.tolist() for name, values in parts.items()} == {
        "weekday": [2],  # 28 February 2024 was a Wednesday
        "hour": [23],
    }
