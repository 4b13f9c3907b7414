"""Shape: KS and TV distances worked by hand, and its floor near theory."""

import numpy as np
import pandas as pd
import pytest
from llmsynth_eval.fidelity.shape import category_distance, numeric_distance
from llmsynth_eval.runner import judge

NAN = float("nan")


def ones(values):
    return np.ones((1, len(values)))


def distance(function, first, second):
    first, second = np.array(first, float), np.array(second, float)
    return float(function(first, second, ones(first), ones(second))[0])


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4], 0.0),
        ([1, 2, 3, 4], [3, 4, 5, 6], 0.5),
        ([1, 2], [3, 4], 1.0),
        ([0, 0, 0, 1], [0, 1], 0.25),
        ([1, 2, 3, NAN], [1, 2, 3, NAN], 0.0),
        ([1, 1, NAN, NAN], [1, 1, 1, NAN], 0.25),
        ([1, 2, NAN, NAN], [3, 4, 5, NAN], 1.0),
        ([NAN, NAN], [1, 2], 1.0),
        ([NAN, NAN], [NAN, NAN], 0.0),
    ],
)
def test_ks_of_present_values_or_the_missing_rate_difference(first, second, expected):
    assert distance(numeric_distance, first, second) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [([0, 0, 1, 1], [0, 0, 0, 1], 0.25), ([0, 1], [2, 3], 1.0), ([0, 1, 1], [1, 0, 1], 0.0)],
)
def test_tv_of_categories(first, second, expected):
    assert distance(category_distance, first, second) == pytest.approx(expected)


def test_shape_is_the_mean_over_columns_and_missing_is_a_category():
    train = pd.DataFrame({"n": [1, 2, 3, 4], "c": ["a", "a", "b", None]})
    synthetic = pd.DataFrame({"n": [3, 4, 5, 6], "c": ["a", "a", None, None]})
    judgement = judge(train, synthetic, train)
    assert judgement.values["shape"] == pytest.approx((0.5 + 0.25) / 2)
    assert [(c.name, c.error) for c in judgement.columns] == [("n", 0.5), ("c", 0.25)]
    assert judgement.floors["shape"] == 0


def test_the_floor_of_continuous_columns_is_the_mean_of_the_kolmogorov_law():
    rng = np.random.default_rng(0)
    train, holdout = (pd.DataFrame(rng.normal(size=(1000, 40))) for _ in range(2))
    floor = judge(train, train.head(50), holdout, max_rows=50).floors["shape"]
    assert floor == pytest.approx(np.sqrt(np.pi / 2) * np.log(2) * np.sqrt(2 / 1000), rel=0.1)


def test_the_floor_of_a_fair_coin_is_its_mean_absolute_deviation():
    rng = np.random.default_rng(0)
    train, holdout = (
        pd.DataFrame(np.where(rng.random((1000, 60)) < 0.5, "h", "t")) for _ in range(2)
    )
    floor = judge(train, train.head(50), holdout, max_rows=50).floors["shape"]
    assert floor == pytest.approx(np.sqrt(2 / np.pi * 0.25 * 2 / 1000), rel=0.2)


def test_the_interval_holds_the_value_and_narrows_with_rows():
    rng = np.random.default_rng(0)
    widths = []
    for rows in (200, 3200):
        train = pd.DataFrame({"x": rng.normal(size=rows)})
        synthetic = pd.DataFrame({"x": rng.normal(1, 1, size=rows)})
        judgement = judge(train, synthetic, train, max_rows=100)
        low, high = judgement.intervals["shape"]
        assert low < judgement.values["shape"] < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2
