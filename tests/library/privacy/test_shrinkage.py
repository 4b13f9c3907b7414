"""Counts with noise, drawn towards independence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.privacy.shrinkage import shrunk


def noise(shape, deviation, seed=0):
    return np.random.default_rng(seed).normal(0, deviation, shape)


def test_pure_noise_about_independence_is_all_but_removed():
    sides = [np.array([300.0, 500.0, 200.0]), np.array([0.2, 0.5, 0.3])]
    expected = np.outer(*sides)
    left = [
        np.abs(shrunk(expected + noise((3, 3), 20, seed), sides, [False, False], 20) - expected)
        for seed in range(40)
    ]
    assert np.mean(left) < 0.3 * 20 * np.sqrt(2 / np.pi)


def test_a_strong_dependence_stays():
    sides = [np.array([500.0, 500.0]), np.array([0.5, 0.5])]
    true = np.array([[450.0, 50.0], [50.0, 450.0]])
    for seed in range(20):
        likely = shrunk(true + noise((2, 2), 10, seed), sides, [False, False], 10)
        assert np.abs(likely - true).max() < 45


def test_one_cell_is_shrunk_by_the_signals_share_of_the_variance():
    # Expected 100, counted 180, deviation 40: of the sizes tried, s = .8 is the most likely
    # (variance (.8 * 100)^2 + 40^2 = 8,000; 80^2 = 6,400 lies nearest to it), so the distance
    # of 80 is taken for 80 * 6,400 / 8,000 = 64.
    assert shrunk(np.array([180.0]), [np.array([100.0])], [False], 40) == pytest.approx([164.0])


def test_neighbours_on_an_ordered_axis_lend_each_other_strength():
    places = np.arange(24)
    side = np.full(24, 100.0)
    true = side * (1 + 0.8 * np.sin(places / 4))
    error = {True: [], False: []}
    for seed in range(20):
        noisy = true + noise(24, 40, seed)
        for ordered, found in error.items():
            found.append(np.abs(shrunk(noisy, [side], [ordered], 40) - true).mean())
    assert np.mean(error[True]) < 0.75 * np.mean(error[False])
    assert np.mean(error[False]) < 40 * np.sqrt(2 / np.pi)


@given(
    st.lists(st.floats(-500, 2000), min_size=6, max_size=6),
    st.lists(st.floats(0, 1000), min_size=2, max_size=2),
    st.floats(0, 300),
    st.booleans(),
)
def test_no_count_falls_below_a_fiftieth_of_what_is_expected(counts, first, deviation, ordered):
    sides = [np.array(first), np.array([0.2, 0.5, 0.3])]
    likely = shrunk(np.array(counts).reshape(2, 3), sides, [False, ordered], deviation)
    assert np.isfinite(likely).all()
    assert (likely >= 0.02 * np.outer(*sides) - 1e-9).all()


def test_without_noise_a_table_that_varies_stays_as_it_was():
    counts = np.array([[30.0, 270.0], [400.0, 100.0]])
    sides = [np.array([300.0, 500.0]), np.array([0.5, 0.5])]
    assert shrunk(counts, sides, [False, False], 0.0) == pytest.approx(counts, rel=1e-6)
