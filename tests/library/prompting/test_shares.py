"""Cells that meet shares, declared or told by examples."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.errors import ConditionError
from llmsynth.prompting.shares import apportioned, cells_like, cells_of_shares
from llmsynth.schema import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    DatetimeColumn,
    NumberColumn,
    TextColumn,
)

RNG = np.random.default_rng
JOB = CategoryColumn(name="job", categories=("baker", "clerk", "pilot"))


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=8), st.integers(0, 500))
def test_counts_add_up_and_stay_within_one_of_their_share(shares: list[float], n: int) -> None:
    counts = apportioned(shares, n)
    exact = np.array(shares) / sum(shares) * n
    assert counts.sum() == n
    assert (np.abs(counts - exact) < 1 + 1e-6).all()


def test_declared_shares_are_met_and_the_rest_follows_the_examples() -> None:
    examples = pa.array(["clerk"] * 8 + ["pilot"])
    cells = cells_of_shares(JOB, {"baker": 0.3}, examples, 200, RNG(0))
    # Of the 140 others: clerk 8 + 1/3 parts, pilot 1 + 1/3.
    assert Counter(cells.to_pylist()) == {"baker": 60, "clerk": 121, "pilot": 19}


def test_declared_shares_that_name_everything_leave_nothing_over() -> None:
    cells = cells_of_shares(JOB, {"baker": 0.5, "clerk": 0.5}, pa.array(["pilot"]), 10, RNG(0))
    assert Counter(cells.to_pylist()) == {"baker": 5, "clerk": 5}


def test_codes_booleans_and_missing_cells_have_shares_too() -> None:
    grade = CategoryColumn(name="g", categories=("1", "2"), storage="int64", nullable=True)
    cells = cells_of_shares(grade, {2: 0.5, None: 0.5}, pa.array([1], pa.int64()), 4, RNG(0))
    assert cells.type == pa.int64()
    assert Counter(cells.to_pylist()) == {2: 2, None: 2}
    well = BooleanColumn(name="b", true_text="yes", false_text="no")
    cells = cells_of_shares(well, {"yes": 1.0}, pa.array([], pa.bool_()), 3, RNG(0))
    assert cells.to_pylist() == [True] * 3


@pytest.mark.parametrize(
    ("column", "shares", "told"),
    [
        (JOB, {"baker": 0.7, "clerk": 0.6}, "add up to 1.3; expected at most 1"),
        (JOB, {"baker": 0.1, "clerk": 0.1, "pilot": 0.1}, "add up to 0.3; expected 1"),
        (JOB, {"judge": 0.1}, "holds 'baker', 'clerk', 'pilot'; got 'judge'"),
        (JOB, {"baker": -0.1}, "between 0 and 1"),
        (JOB, {None: 0.1}, "got None"),
        (BooleanColumn(name="b"), {True: 0.5, "true": 0.5}, "a share twice"),
        (NumberColumn(name="n", maximum="9"), {"1": 0.5}, "for categories and booleans"),
        (TextColumn(name="t"), {"a": 0.5}, "for categories and booleans"),
    ],
)
def test_shares_that_cannot_be_met_are_refused(
    column: Column, shares: dict[object, float], told: str
) -> None:
    with pytest.raises(ConditionError, match=told):
        cells_of_shares(column, shares, pa.array([], pa.string()), 10, RNG(0))


def test_numbers_lie_between_the_examples_on_the_columns_grid() -> None:
    column = NumberColumn(name="x", storage="double", scale=1, minimum="0.0", maximum="100.0")
    cells = cells_like(column, pa.array([0.0, 10.0, 10.0, 20.0]), 3000, RNG(0))
    values = np.asarray(cells)
    assert values.min() >= 0
    assert values.max() <= 20
    assert np.median(values) == 10
    assert np.mean(values == 10) == pytest.approx(1 / 3, abs=0.02)
    assert np.allclose(values * 10, np.rint(values * 10))


def test_missing_cells_keep_their_share() -> None:
    column = NumberColumn(name="x", maximum="9", nullable=True)
    cells = cells_like(column, pa.array([1, None, 3, None], pa.int64()), 100, RNG(0))
    assert cells.null_count == 50


def test_days_and_moments_lie_between_the_examples() -> None:
    day = DateColumn(name="d", minimum="2020-01-01", maximum="2020-12-31")
    cells = cells_like(day, pa.array([dt.date(2020, 3, 1), dt.date(2020, 3, 31)]), 50, RNG(0))
    assert {cell.month for cell in cells.to_pylist()} == {3}
    moment = DatetimeColumn(
        name="m",
        minimum="2020-01-01T00:00:00",
        maximum="2020-01-02T00:00:00",
        resolution="minute",
    )
    ends = pa.array([dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 2)], pa.timestamp("us"))
    drawn = cells_like(moment, ends, 50, RNG(0)).to_pylist()
    assert all(cell.second == 0 and cell.day in (1, 2) for cell in drawn)
    assert len(set(drawn)) > 40


def test_one_example_tells_no_marginal_and_a_text_never_does() -> None:
    assert cells_like(JOB, pa.array(["baker"]), 5, RNG(0)) is None
    assert cells_like(TextColumn(name="t"), pa.array(["a", "b"]), 5, RNG(0)) is None
