"""Times, durations, months, quarters, weeks: counted, and written back as they came."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.codec.row_language import RowLanguage
from llmsynth.errors import SchemaError
from llmsynth.schema import Column, DateColumn, DatetimeColumn, QuantityColumn, infer_schema
from llmsynth.schema.clock_spelling import CLOCKS, DAYS_AND_MOMENTS, ClockSpelling
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.conforming import conform
from llmsynth.tables.csv_writing import csv_rows

COUNTED = [
    ("%H:%M:%S", "16:09:33", 58173),
    ("%k:%M", "9:05", 545),
    ("%I:%M %p", "12:05 AM", 5),
    ("%I:%M %p", "12:05 PM", 725),
    ("%N:%S", "137:47", 8267),
    ("%N days %H:%M:%S", "2 days 01:00:00", 176400),
    ("%YQ%q", "2012Q3", 8050),
    ("%Y-%m", "2005-11", 24070),
    ("%b-%y", "Jan-20", 24240),
    ("%b-%y", "Dec-99", 23999),
    ("%G-W%V", "2020-W53", dt.date(2020, 12, 28).toordinal() // 7),
    ("%d-%b-%Y", "27-Jan-2020", dt.date(2020, 1, 27).toordinal()),
    ("%H:%M%z{+02:00,Z}", "00:01Z", 11),
]


@pytest.mark.parametrize(("pattern", "text", "count"), COUNTED)
def test_a_text_is_counted_in_its_finest_unit(pattern: str, text: str, count: int) -> None:
    spelling = ClockSpelling(pattern)
    assert spelling.read(text) == str(count)
    assert spelling.write(str(count)) == text


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("%H:%M", "24:00"), ("%H:%M", "9:60"), ("%d-%b-%Y", "31-Feb-2020"), ("%YQ%q", "2020Q5")],
)
def test_what_no_clock_shows_is_not_read(pattern: str, text: str) -> None:
    assert ClockSpelling(pattern).read(text) is None


@pytest.mark.parametrize("pattern", ["%", "noon", "%H:%H", "%x"])
def test_what_is_no_pattern_of_directives_is_refused(pattern: str) -> None:
    with pytest.raises(SchemaError, match="each directive once"):
        ClockSpelling(pattern)


@given(
    st.sampled_from(CLOCKS + DAYS_AND_MOMENTS),
    st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2068, 1, 1)),
)
def test_every_moment_comes_back_in_every_pattern(pattern: str, moment: dt.datetime) -> None:
    spelling = ClockSpelling(pattern)
    if {"%q", "%V", "%N"} & {pattern[at : at + 2] for at in range(len(pattern))}:
        count = "9000"
    else:
        known = pattern.replace("%k", "%H").replace("%l", "%I").replace("%P", "%p")
        shown = moment.strftime(known.replace("%f", "000"))
        if known != pattern and "%p" not in known:
            shown = shown.lstrip("0") if not shown.startswith("00") else shown[1:]
        found = spelling.read(shown)
        if found is None:
            return
        count = found
    text = spelling.write(count)
    assert spelling.read(text) == count


DAYS = [dt.date(2019, 1, 1) + dt.timedelta(days=7 * at + at % 5) for at in range(150)]
MOMENTS = [dt.datetime(2024, 3, 1) + dt.timedelta(minutes=997 * at) for at in range(150)]
ZONES = ["+02:00", "+05:30", "-05:00"]
TEXTS: dict[str, tuple[type[Column], list[str]]] = {
    "whole": (DateColumn, [day.strftime("%Y%m%d") for day in DAYS]),
    "named": (DateColumn, [day.strftime("%d-%b-%Y") for day in DAYS]),
    "long": (DateColumn, [day.strftime("%B %-d, %Y") for day in DAYS]),
    "short": (DateColumn, [day.strftime("%-m/%-d/%Y") for day in DAYS]),
    "two": (DateColumn, [day.strftime("%d.%m.%y") for day in DAYS]),
    "noon": (DatetimeColumn, [at.strftime("%m/%d/%Y %I:%M %p") for at in MOMENTS]),
    "utc": (DatetimeColumn, [at.strftime("%Y-%m-%dT%H:%M:%SZ") for at in MOMENTS]),
    "tokyo": (DatetimeColumn, [at.strftime("%Y-%m-%dT%H:%M:%S+09:00") for at in MOMENTS]),
    "zones": (
        QuantityColumn,
        [f"{at:%Y-%m-%dT%H:%M:%S}{ZONES[number % 3]}" for number, at in enumerate(MOMENTS)],
    ),
    "open": (QuantityColumn, ["never" if d.day % 7 == 0 else d.isoformat() for d in DAYS]),
    "time": (QuantityColumn, [at.strftime("%H:%M:%S") for at in MOMENTS]),
    "half": (QuantityColumn, [at.strftime("%-I:%M %p") for at in MOMENTS]),
    "lasted": (QuantityColumn, [f"{7 * at}:{at % 60:02}" for at in range(150)]),
    "quarter": (QuantityColumn, [f"{1990 + at // 4}Q{at % 4 + 1}" for at in range(150)]),
    "week": (QuantityColumn, [day.strftime("%G-W%V") for day in DAYS]),
    "month": (QuantityColumn, [f"{1990 + at // 12}-{at % 12 + 1:02}" for at in range(150)]),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_column_is_ordered_and_written_as_it_came(name: str) -> None:
    kind, texts = TEXTS[name]
    raw = pa.table({name: texts})
    schema = TableSchema.from_json(infer_schema(raw).to_json())
    assert type(schema.columns[0]) is kind
    language = RowLanguage(schema)
    table = conform(raw, schema)
    decoded = language.decode(language.encode(table))
    written = csv_rows(decoded, schema).decode().splitlines()
    assert [cell.strip('"') for cell in written] == texts
    row = {name: table[name][7].as_py()}
    assert language.parse(language.serialize(row)) == row
