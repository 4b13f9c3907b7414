"""The intervals against values worked by hand or printed in the literature."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmsynth_eval.intervals import around, delong, paired_difference, wilson


def test_wilson_of_half_of_a_hundred_is_404_to_596():
    # (.5 + z^2/200 +- z * sqrt(.25/100 + z^2/40000)) / (1 + z^2/100), z = 1.96
    assert wilson(50, 100) == pytest.approx((0.40383, 0.59617), abs=1e-5)


def test_wilson_of_no_success_in_ten_starts_at_zero_and_ends_at_278():
    # z^2 / (n + z^2) = 3.8415 / 13.8415
    assert wilson(0, 10) == pytest.approx((0.0, 0.27753), abs=1e-5)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, 2 * n), st.just(n))))
def test_wilson_holds_its_share_and_stays_within_zero_and_one(case):
    halves, trials = case
    low, high = wilson(halves / 2, trials)
    assert 0 <= low <= halves / 2 / trials + 1e-12
    assert halves / 2 / trials - 1e-12 <= high <= 1


def test_auc_of_separated_tied_and_swapped_scores():
    truth = np.array([False, False, True, True])
    assert delong(truth, np.array([0.1, 0.2, 0.3, 0.4]))[0] == 1
    assert delong(truth, np.array([0.5, 0.5, 0.5, 0.5]))[0] == 0.5
    assert delong(truth, np.array([0.1, 0.3, 0.2, 0.4]))[0] == 0.75


def test_delong_interval_matches_the_placements_worked_by_hand():
    # positives 3, 1 against negatives 2, 0: placements 1, .5 and .5, 1; variances .125 each
    truth = np.array([True, True, False, False])
    auc, interval = delong(truth, np.array([3.0, 1.0, 2.0, 0.0]))
    half = 1.959964 * np.sqrt(0.125 / 2 + 0.125 / 2)
    assert auc == 0.75
    assert interval == pytest.approx((0.75 - half, 1.0), abs=1e-6)


def test_delong_gives_no_interval_for_a_single_positive():
    assert delong(np.array([True, False, False]), np.array([3.0, 1.0, 2.0])) == (1.0, None)


def test_delong_covers_the_true_auc_about_nineteen_times_in_twenty():
    rng = np.random.default_rng(1)
    truth = np.repeat([True, False], 150)
    covered = 0
    for _ in range(300):
        low, high = delong(truth, rng.normal(size=300) + truth)[1]
        covered += low < 0.76025 < high  # Phi(1 / sqrt(2))
    assert 270 <= covered <= 298


def test_paired_difference_is_the_adjusted_wald_of_agresti_and_min():
    # b = 8, c = 2, n = 50: d = 6/52, half = z * sqrt((11/52 - (6/52)^2) / 52)
    half = 1.959964 * np.sqrt((11 / 52 - (6 / 52) ** 2) / 52)
    assert paired_difference(8, 2, 50) == pytest.approx((6 / 52 - half, 6 / 52 + half), abs=1e-6)


def test_around_is_cut_to_its_range():
    assert around(0.01, 0.1, low=0.0, high=1.0)[0] == 0.0
