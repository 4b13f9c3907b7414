"""Days and moments as text, both ways."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsynth.schema.clock_texts import DAY_FORMATS, MOMENT_FORMATS, format_moments, parse_moments


@settings(deadline=None)
@given(
    moments=st.lists(st.none() | st.datetimes(), min_size=1),
    pattern=st.sampled_from(MOMENT_FORMATS),
)
def test_reading_undoes_writing(moments: list[dt.datetime | None], pattern: str) -> None:
    cut = {"second": 0, "microsecond": 0} if "%S" not in pattern else {"microsecond": 0}
    if "%f" not in pattern:
        moments = [m and m.replace(**cut) for m in moments]  # type: ignore[arg-type]
    cells = pa.array(moments, pa.timestamp("us"))
    assert parse_moments(format_moments(cells, pattern), pattern).equals(cells)


@settings(deadline=None)
@given(day=st.dates(min_value=dt.date(1000, 1, 1)), pattern=st.sampled_from(DAY_FORMATS))
def test_days_are_written_as_strftime_writes_them(day: dt.date, pattern: str) -> None:
    cells = pa.array([day]).cast(pa.timestamp("s"))
    assert format_moments(cells, pattern)[0].as_py() == day.strftime(pattern)


@pytest.mark.parametrize(
    "text",
    ["2021-02-29", "2020-13-01", "2020-00-01", "2020-01-00", "0000-01-01", "2020-1-1x",
     " 2020-01-01", "", "2020-04-31", "1900-02-29", "２０２０-01-01"],
)  # fmt: skip
def test_days_no_calendar_holds_are_not_read(text: str) -> None:
    assert parse_moments(pa.array([text, "2020-02-29"]), "%Y-%m-%d").is_null().to_pylist() == [
        True,
        False,
    ]


@pytest.mark.parametrize("offset", ["Z", "+00:00", "-0000"])
def test_offsets_are_taken_off(offset: str) -> None:
    out = parse_moments(pa.array([f"00:30{offset}", "00:30+01:00", "00:30-01:30"]), "%H:%M%z")
    assert [m.hour * 60 + m.minute for m in out.to_pylist()] == [30, 23 * 60 + 30, 120]


def test_impossible_offsets_and_clocks_are_not_read() -> None:
    texts = ["00:30+24:00", "00:30+01:60", "24:00Z", "00:60Z", None]
    assert parse_moments(pa.array(texts), "%H:%M%z").null_count == 5


def test_a_unit_never_rounds() -> None:
    texts = pa.array(["00:00.5", "00:00.0005", "00:00.000000001"])
    counts = {
        u: parse_moments(texts, "%M:%S.%f", unit=u).null_count for u in ("s", "ms", "us", "ns")
    }
    assert counts == {"s": 3, "ms": 2, "us": 1, "ns": 0}


def test_nanoseconds_out_of_range_are_not_read() -> None:
    assert parse_moments(pa.array(["2500-01-01"]), "%Y-%m-%d", unit="ns").null_count == 1


def test_other_directives_go_through_strptime() -> None:
    out = parse_moments(pa.array(["Jan 5 2020", "Foo 5 2020", None]), "%b %d %Y")
    assert out.to_pylist() == [dt.datetime(2020, 1, 5), None, None]
    assert format_moments(out, "%d-%b-%y").to_pylist() == ["05-Jan-20", None, None]
