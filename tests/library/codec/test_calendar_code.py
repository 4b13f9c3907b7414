"""Dates and moments: every day between the bounds once, and no day that is none."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from llmsynth.codec.calendar_code import CalendarCode
from llmsynth.codec.column_code import END
from llmsynth.schema import DateColumn, DatetimeColumn


def walks(code: CalendarCode, state: int = 0) -> Iterator[list[int]]:
    for token in np.flatnonzero(code.automaton.allowed[state]).tolist():
        following = int(code.automaton.following[state, token])
        for tail in [[]] if following == END else walks(code, following):
            yield [token, *tail]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (dt.date(1899, 12, 30), dt.date(1904, 3, 2)),
        (dt.date(1999, 2, 28), dt.date(2001, 3, 1)),
        (dt.date(999, 12, 31), dt.date(1000, 1, 1)),
        (dt.date(1, 1, 1), dt.date(1, 1, 31)),
        (dt.date(9999, 11, 30), dt.date(9999, 12, 31)),
        (dt.date(2024, 2, 29), dt.date(2024, 2, 29)),
        (dt.date(2020, 5, 20), dt.date(2020, 5, 22)),
    ],
)
def test_the_automaton_writes_every_day_between_the_bounds_once(
    first: dt.date, last: dt.date
) -> None:
    code = CalendarCode(DateColumn(name="x", minimum=str(first), maximum=str(last)))
    written = code.decode(np.array(list(walks(code)), dtype=np.int32)).to_pylist()
    assert written == [first + dt.timedelta(days=i) for i in range((last - first).days + 1)]
    pattern = re.compile(code.regex())
    assert all(pattern.fullmatch(day.isoformat()) for day in written)
    for day in (f"{first.year:04d}-02-30", f"{last.year:04d}-13-01", f"{last.year:04d}-04-31"):
        assert not pattern.fullmatch(day)


def test_the_clock_stops_at_both_bounds() -> None:
    column = DatetimeColumn(
        name="x", minimum="2020-02-29T22:58:30", maximum="2020-03-01T01:01:00", resolution="minute"
    )
    code = CalendarCode(column)
    written = code.decode(np.array(list(walks(code)), dtype=np.int32)).to_pylist()
    # 22:58:30 itself is no whole minute.
    first = dt.datetime(2020, 2, 29, 22, 59)
    assert written == [first + dt.timedelta(minutes=i) for i in range(123)]


def test_moments_are_spelled_to_their_resolution_in_utc() -> None:
    moment = dt.datetime(2021, 7, 4, 1, 2, 3, 45_006)
    spelled = {
        "minute": "2021-07-04T01:02",
        "second": "2021-07-04T01:02:03",
        "millisecond": "2021-07-04T01:02:03.045",
        "microsecond": "2021-07-04T01:02:03.045006",
    }
    for resolution, text in spelled.items():
        column = DatetimeColumn(
            name="x",
            storage="timestamp[us, tz=Europe/Berlin]",
            minimum="2021-01-01",
            maximum="2022-01-01",
            resolution=resolution,
        )
        code = CalendarCode(column)
        cell = code.cell(text, quoted=False)
        assert isinstance(cell, dt.datetime)
        assert str(cell).startswith("2021-07-04 03:02")
        assert code.text(cell) == text
        assert moment.isoformat().startswith(text)


def test_both_hours_of_an_autumn_night_are_told_apart() -> None:
    kind = pa.timestamp("s", "Europe/Berlin")
    night = int(dt.datetime(2023, 10, 29, 0, 30, tzinfo=dt.UTC).timestamp())
    cells = pa.array([night, night + 3600], pa.int64()).cast(kind)
    column = DatetimeColumn(
        name="x", storage=str(kind), minimum="2023-10-28", maximum="2023-10-30", resolution="minute"
    )
    code = CalendarCode(column)
    assert code.decode(code.encode(cells)).equals(cells)
    texts = [code.text(cell) for cell in cells.to_pylist()]
    assert texts == ["2023-10-29T00:30", "2023-10-29T01:30"]
    assert pa.array([code.cell(text, quoted=False) for text in texts], kind).equals(cells)
