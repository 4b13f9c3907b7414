"""Bins, and what is remembered of a group, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.relational.past import GAP, Past
from llmsynth.relational.scale import Scale
from llmsynth.relational.time_axis import TimeAxis
from llmsynth.schema import NumberColumn


@given(st.lists(st.floats(-1e6, 1e6), max_size=300), st.integers(2, 40))
def test_bins_rise_with_the_numbers(values: list[float], most: int) -> None:
    numbers = np.array(values)
    scale = Scale.of(numbers, most_bins=most)
    bins = scale.bins(np.sort(numbers))
    assert scale.size <= most
    assert (np.diff(bins) >= 0).all()
    assert all(0 <= code < scale.size for code in bins)


def test_values_on_which_rows_heap_have_bins_of_their_own() -> None:
    numbers = np.repeat([0.0, 1, 2, 5], [50, 20, 20, 10])
    scale = Scale.of(numbers, most_bins=32)
    assert len(set(scale.bins(np.array([0.0, 1, 2, 5])).tolist())) == 4


def test_no_cut_point_is_a_single_rows_number() -> None:
    numbers = np.sort(np.random.default_rng(0).lognormal(8, 1, 1000))
    assert not set(Scale.of(numbers, most_bins=64).cuts) & set(numbers.tolist())


def test_the_past_of_two_groups_by_hand() -> None:
    axis = TimeAxis(NumberColumn(name="t", minimum="0", maximum="100"))
    past = Past(
        np.array([3, 1]),
        columns=[GAP, "x"],
        averaged=["x"],
        lags=2,
        axis=axis,
        first=np.array([10, 50]),
        last=np.array([30, 50]),
    )
    both, one = np.array([0, 1]), np.array([0])
    past.add(both, {GAP: np.full(2, np.nan), "x": np.array([4.0, 9])}, np.array([10, 50]))
    past.add(one, {GAP: np.array([5.0]), "x": np.array([np.nan])}, np.array([15]))
    found = {name: float(values[0]) for name, values in past.read(one).items()}
    assert found == pytest.approx(
        {
            f"#1 {GAP}": 5,
            f"#2 {GAP}": np.nan,
            "#1 x": np.nan,
            "#2 x": 4,
            "#mean x": 4,
            "#row": 2,
            "#left": 1,
            "#now": 15,
            "#remaining": 15,
            "#pace": 15,
        },
        nan_ok=True,
    )
