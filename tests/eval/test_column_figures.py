"""Columns: KS, TV, Wasserstein, chi-squared worked by hand; intervals; order plays no part."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmsynth_eval.coded_table import encode
from llmsynth_eval.fidelity.columns import ColumnDistances
from llmsynth_eval.fidelity.coverage import Coverage
from llmsynth_eval.fidelity.distances import (
    count_distance,
    count_ks,
    homogeneity_p_value,
    ks_p_value,
    sample_gap,
)
from llmsynth_eval.fidelity.missing_rates import MissingRates, fisher_p_value
from llmsynth_eval.input_tables import plan_columns
from llmsynth_eval.metric import Comparison
from scipy import stats

NAN = float("nan")


def compared(train, synthetic, holdout=None, **settings):
    frames = {"train": train, "synthetic": synthetic}
    frames["holdout"] = train if holdout is None else holdout
    return Comparison(**encode(frames, plan_columns(train)), **settings)


def values(measurement):
    return {figure.name: figure.value for figure in measurement.figures}


def sorted_floats(numbers):
    return np.sort(np.array(numbers, float))


@pytest.mark.parametrize(
    ("first", "second", "ks", "wasserstein"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4], 0.0, 0.0),
        ([1, 2, 3, 4], [3, 4, 5, 6], 0.5, 2.0),
        ([0, 0], [1], 1.0, 1.0),
        ([0, 1], [0, 0, 0, 4], 0.25, 1.0),
        ([5], [5, 5, 5], 0.0, 0.0),
    ],
)
def test_ks_and_wasserstein_worked_by_hand(first, second, ks, wasserstein):
    gap = sample_gap(sorted_floats(first), sorted_floats(second))
    assert (gap.ks, gap.wasserstein) == pytest.approx((ks, wasserstein))


@given(
    st.lists(st.integers(-9, 9), min_size=3, max_size=30),
    st.lists(st.integers(-9, 9), min_size=3, max_size=30),
)
def test_ks_wasserstein_and_p_value_agree_with_scipy(first, second):
    gap = sample_gap(sorted_floats(first), sorted_floats(second))
    expected = stats.ks_2samp(first, second, method="asymp")
    assert gap.ks == pytest.approx(expected.statistic)
    assert ks_p_value(gap.ks, len(first), len(second)) == pytest.approx(expected.pvalue, abs=1e-9)
    assert gap.wasserstein == pytest.approx(stats.wasserstein_distance(first, second))


def test_distances_of_counts_worked_by_hand():
    first, second = np.array([[2.0, 2, 0], [0, 0, 0]]), np.array([[3.0, 0, 1], [1, 1, 1]])
    assert count_distance(first, second).tolist() == [0.5, 0.0]
    assert count_ks(first, second).tolist() == [0.25, 0.0]


def test_chi_squared_of_two_counts_is_the_textbooks():
    first, second = np.array([30.0, 70.0]), np.array([50.0, 50.0])
    # expected 40 and 60 in both: 4 (10^2 / 40 + 10^2 / 60) / 2 = 8.333, one degree of freedom
    assert homogeneity_p_value(first, second) == pytest.approx(stats.chi2.sf(25 / 3, 1))


def test_rare_categories_are_tested_as_one_and_lone_ones_not_at_all():
    common = np.array([50.0, 50.0])
    rare = np.concatenate([common, np.ones(6)]), np.concatenate([common, np.zeros(6)])
    assert homogeneity_p_value(*rare) == 1  # six rows together are too few as well
    assert homogeneity_p_value(np.array([9.0]), np.array([8.0])) == 1
    assert homogeneity_p_value(np.zeros(2), common) == 1


def test_means_are_over_numbers_and_categories_apart_and_missing_cells_do_not_count():
    train = pd.DataFrame({"n": [1, 2, 3, 4, NAN], "m": [0, 0, 1, 1, 1], "c": [*"aabb", None]})
    other = pd.DataFrame({"n": [3, 4, 5, 6, NAN], "m": [0, 0, 1, 1, 1], "c": [*"aaab", None]})
    found = values(ColumnDistances().compute(compared(train, other)))
    deviation = np.std([1, 2, 3, 4])
    assert found == pytest.approx({"ks": 0.25, "tv": 0.25, "wasserstein": 2 / deviation / 2})


def test_a_table_without_numbers_says_that_it_has_no_ks():
    train = pd.DataFrame({"c": list("abab")})
    measurement = ColumnDistances().compute(compared(train, train))
    assert set(values(measurement)) == {"tv"}
    assert any("KS" in note for note in measurement.notes)


def test_a_column_without_a_value_in_either_table_raises_nothing():
    train = pd.DataFrame({"n": [NAN, NAN], "c": ["a", "b"]})
    other = pd.DataFrame({"n": [1.0, 2.0], "c": ["a", "b"]})
    measurement = ColumnDistances().compute(compared(train, other))
    assert values(measurement) == {"ks": 0, "tv": 0}


def test_the_interval_covers_the_spread_of_repeated_draws():
    rng = np.random.default_rng(0)
    found, widths = [], []
    for _ in range(40):
        sides = [pd.DataFrame({"x": rng.normal(shift, 1, 800)}) for shift in (0, 1)]
        figure = ColumnDistances().compute(compared(*sides, with_floor=False)).figures[0]
        found.append(figure.value)
        widths.append(figure.interval[1] - figure.interval[0])
    assert np.mean(widths) == pytest.approx(2 * 1.96 * np.std(found), rel=0.3)


def test_range_and_category_coverage_worked_by_hand():
    train = pd.DataFrame({"n": [0.0, 10, NAN], "m": [5, 5, 5], "c": ["a", "b", None]})
    other = pd.DataFrame({"n": [2.5, 30, NAN], "m": [6, 6, 6], "c": ["a", "a", None]})
    measurement = Coverage().compute(compared(train, other))
    assert values(measurement) == {"range_coverage": 0.375, "category_coverage": 0.5}
    rows = {row[0]: row for row in measurement.tables[0].rows}
    assert rows["n"][2:] == (0.75, 1.0, 1, 1)
    assert rows["c"][2:] == (0.5, 1.0, 1, 1)


def test_missing_rates_worked_by_hand():
    train = pd.DataFrame({"n": [1, 2, NAN, NAN], "c": ["a", "b", "a", None], "x": range(4)})
    other = pd.DataFrame({"n": [1, 2, 3, NAN], "c": ["a", "b", "a", "b"], "x": range(4)})
    measurement = MissingRates().compute(compared(train, other))
    assert values(measurement) == {"missing_difference": 0.25}
    assert [row[0] for row in measurement.tables[0].rows] == ["c", "n"]


def test_fishers_p_value_is_twice_the_smaller_tail():
    # both gaps of eight rows are train's: 4 * 3 / (8 * 7)
    assert fisher_p_value(2, 4, 0, 4) == pytest.approx(2 * 12 / 56)
    assert fisher_p_value(3, 10, 3, 10) == 1


def test_no_gap_anywhere_is_good_and_noted():
    train = pd.DataFrame({"x": [1, 2]})
    measurement = MissingRates().compute(compared(train, train))
    assert measurement.headlines[0].answer == "good"
    assert measurement.figures == ()
    assert measurement.notes
