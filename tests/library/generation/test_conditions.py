"""Conditions: what a user may fix, how it is read, and which rows it lands in."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from llmsynth.codec.row_language import RowLanguage
from llmsynth.errors import ConditionError
from llmsynth.generation.conditions import TO_DRAW, Conditions
from llmsynth.schema import (
    BooleanColumn,
    CategoryColumn,
    DateColumn,
    IdentifierColumn,
    NumberColumn,
    TableSchema,
    TextColumn,
)

LANGUAGE = RowLanguage(
    TableSchema(
        columns=(
            NumberColumn(name="age", minimum="17", maximum="90", nullable=True),
            CategoryColumn(name="sex", categories=("Female", "Male")),
            CategoryColumn(name="grade", storage="int64", categories=("1", "2")),
            NumberColumn(
                name="wage",
                storage="double",
                scale=2,
                minimum="0",
                maximum="999.5",
                frequent=("7",),
            ),
            BooleanColumn(name="ok", true_text="Yes", false_text="No"),
            DateColumn(name="day", minimum="2020-01-01", maximum="2021-01-01", format="%d/%m/%Y"),
            IdentifierColumn(name="id"),
            TextColumn(name="note"),
        )
    )
)


def fixed(**where: object) -> dict[str, object]:
    """What the conditions put into a row, as cells."""
    codes = Conditions(LANGUAGE, where=where).codes(3, 1)
    assert codes is not None
    names = LANGUAGE.schema.names
    places = [p for name in where for p in LANGUAGE.places(names.index(name))]
    assert set(np.flatnonzero(codes[0].numpy() != TO_DRAW)) == set(places)
    row = LANGUAGE.decode(codes.clamp(min=-1).numpy().astype(np.int32)).to_pylist()[0]
    return {name: row[name] for name in where}


@pytest.mark.parametrize(
    ("name", "value", "cell"),
    [
        ("age", 39, 39),
        ("age", "39", 39),
        ("age", 39.0, 39),
        ("age", np.int8(39), 39),
        ("age", None, None),
        ("age", float("nan"), None),
        ("sex", "Male", "Male"),
        ("grade", 2, 2),
        ("grade", "2", 2),
        ("wage", "7.25", 7.25),
        ("wage", 7, 7.0),
        ("wage", Decimal("0.10"), 0.1),
        ("ok", True, True),
        ("ok", "Yes", True),
        ("day", dt.date(2020, 2, 29), dt.date(2020, 2, 29)),
        ("day", "29/02/2020", dt.date(2020, 2, 29)),
    ],
)
def test_a_value_is_read_as_a_cell_of_its_column(name: str, value: object, cell: object) -> None:
    assert fixed(**{name: value}) == {name: cell}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("aged", 39, "No column 'aged'; there are 'age', 'sex'"),
        ("age", 16, "16 lies outside 17 to 90. It holds 17 to 90"),
        ("age", "39.5", "expected a whole number"),
        ("age", "old", "'old'"),
        ("age", object(), "which is no cell"),
        ("age", [1], "'age'"),
        ("sex", "male", "'male' is not one of its 2 categories. It holds 'Female', 'Male'."),
        ("sex", None, "the cell is missing"),
        ("wage", 1.001, "no multiple of 0.01"),
        ("day", "2020-02-30", "'2020-02-30'"),
        ("id", "12345678", "Column 'id' is identifier; it cannot be given"),
        ("note", "hello", "Column 'note' is text; it cannot be given"),
    ],
)
def test_a_value_that_the_schema_cannot_hold_is_refused(
    name: str, value: object, reason: str
) -> None:
    with pytest.raises(ConditionError) as caught:
        Conditions(LANGUAGE, where={name: value})
    assert reason in str(caught.value)


def test_long_lists_of_categories_are_cut_short() -> None:
    towns = tuple(f"t{i:02d}" for i in range(25))
    language = RowLanguage(TableSchema(columns=(CategoryColumn(name="t", categories=towns),)))
    with pytest.raises(ConditionError, match="'t19' and 5 more"):
        Conditions(language, where={"t": "x"})


def test_a_given_table_lends_each_row_its_own_cells() -> None:
    given = pa.table({"sex": ["Male", "Female", "Male"], "age": ["20", None, "40"]})
    conditions = Conditions(LANGUAGE, where={"grade": 1}, given=given)
    assert (conditions.num_rows, conditions.columns) == (3, ("age", "sex", "grade"))
    codes = conditions.codes(1, 2)
    assert codes is not None
    rows = LANGUAGE.decode(codes.clamp(min=-1).numpy().astype(np.int32))
    assert rows.select(["age", "sex", "grade"]).to_pylist() == [
        {"age": None, "sex": "Female", "grade": 1},
        {"age": 40, "sex": "Male", "grade": 1},
    ]


def test_nothing_given_means_no_codes() -> None:
    conditions = Conditions(LANGUAGE)
    assert (conditions.codes(0, 5), conditions.num_rows, conditions.columns) == (None, None, ())


def test_a_column_cannot_be_given_twice() -> None:
    with pytest.raises(ConditionError, match="given twice"):
        Conditions(LANGUAGE, where={"age": 20}, given=pa.table({"age": [30]}))
    twice = pa.table([pa.array([30]), pa.array([31])], names=["age", "age"])
    with pytest.raises(ConditionError, match="given twice"):
        Conditions(LANGUAGE, given=twice)
