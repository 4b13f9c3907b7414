"""What the command line says of records, columns, durations and conditions."""

from __future__ import annotations

from typing import Any

import pytest

from llmsynth.cli.column_words import column_row
from llmsynth.cli.progress_bar import clock
from llmsynth.cli.record import is_partial, learned_lines, protected_line
from llmsynth.cli.sample import read_conditions
from llmsynth.errors import ConditionError
from llmsynth.schema import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    IdentifierColumn,
    NumberColumn,
)

RECORD: dict[str, Any] = {
    "data": {"rows": 1200, "columns": 3, "dropped_text": ["note"]},
    "model": {"parameters": 54321},
    "training": {"epochs": 2.54, "held_out_loss": 10.12345, "stopped": "schedule"},
    "fit_seconds": 61.04,
    "protected": {
        "categories": {"city": 2, "job": 1},
        "cells_left_out": {"city": 5, "job": 1},
        "extreme_cells": {"age": 8},
    },
}


def test_a_record_is_told_with_its_counts() -> None:
    assert learned_lines(RECORD) == [
        "Learned 1,200 rows of 3 columns in 61.0 seconds: 2.5 epochs, 54,321 parameters.",
        "Held-out loss 10.123 nats a row; training ended as planned.",
        "Protected: 3 rare categories in 6 cells (city 2, job 1); "
        "8 extreme values brought inside the bounds (age 8).",
        "Left out as free text: note.",
    ]


def test_a_fit_without_held_out_rows_says_so() -> None:
    training = {"epochs": 1.0, "held_out_loss": None, "stopped": "early"}
    line = learned_lines({**RECORD, "training": training})[1]
    assert line == "No rows were held out; training ended early, as the loss fell no further."


def test_a_record_that_lacks_its_parts_is_still_told() -> None:
    assert learned_lines({})[0].startswith("Learned an unknown number of rows")


def test_nothing_protected_is_told_apart_from_protection_switched_off() -> None:
    nothing = {"categories": {}, "cells_left_out": {}, "extreme_cells": {}}
    assert protected_line({"protected": nothing}).endswith("nothing had to be; no value is rare.")
    assert protected_line({"protected": None}).endswith("rare values were learned, too.")


def test_only_an_interrupted_record_is_partial() -> None:
    assert is_partial({"training": {"stopped": "interrupted"}})
    assert not is_partial(RECORD)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (NumberColumn(name="x", minimum="-1", maximum="7"), "-1 to 7 in steps of 1"),
        (NumberColumn(name="x", scale=2, maximum="0.5"), "0 to 0.5 in steps of 0.01"),
        (DateColumn(name="x", maximum="1971-02-03"), "1970-01-01 to 1971-02-03"),
        (BooleanColumn(name="x", true_text="T", false_text="F"), "T, F"),
        (IdentifierColumn(name="x", pattern=r"P\d{4}"), r"invented in the pattern P\d{4}"),
        (CategoryColumn(name="x", categories=("a", "", " b", "c\nd")), r"4: a, '', ' b', 'c\nd'"),
        (CategoryColumn(name="x"), "none"),
    ],
)
def test_a_column_is_told_in_a_few_words(column: Column, values: str) -> None:
    assert column_row(column) == ("x", column.kind, "no", values)


def test_many_and_long_categories_are_cut() -> None:
    categories = ("w" * 30, *map(str, range(19)))
    told = column_row(CategoryColumn(name="x", nullable=True, categories=categories))
    assert told[2] == "yes"
    assert told[3] == f"20: {'w' * 21}..., {', '.join(map(str, range(11)))}, ..."


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (65, "1:05"), (3599.7, "1:00:00"), (7322, "2:02:02")]
)
def test_a_duration_reads_like_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_a_condition_is_split_at_its_first_equals_sign() -> None:
    given = read_conditions(["income=>=50K", "city=", "a b= c "], ["age"])
    assert given == {"income": ">=50K", "city": "", "a b": " c ", "age": None}


@pytest.mark.parametrize("text", ["income", "=5", ""])
def test_a_condition_without_column_or_equals_sign_is_refused(text: str) -> None:
    with pytest.raises(ConditionError, match="COLUMN=VALUE"):
        read_conditions([text], [])


def test_a_column_cannot_be_fixed_twice() -> None:
    with pytest.raises(ConditionError, match="'age' is fixed twice"):
        read_conditions(["age=3", "city=Rome"], ["age"])
