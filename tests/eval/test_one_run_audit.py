"""The one-run audit against published and hand-worked values, and canary exposure."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llmsynth_eval.coded_table import CodedColumn, CodedTable
from llmsynth_eval.metric import Comparison
from llmsynth_eval.privacy import (
    CanaryAudit,
    epsilon_from_guesses,
    epsilon_lower_bound,
    exposure,
    exposure_table,
)
from llmsynth_eval.privacy.one_run_audit import audit_p_value

from llmsynth.errors import SettingsError


@pytest.mark.parametrize(
    ("canaries", "guesses", "correct", "epsilon"),
    [
        (200, 200, 140, 0.58),
        (200, 200, 160, 1.09),
        (200, 200, 180, 1.80),
        (200, 200, 200, 4.19),
        (1000, 1000, 600, 0.30),
        (1000, 1000, 800, 1.25),
        (1000, 1000, 1000, 5.78),
        (1000, 100, 80, 0.96),
        (1000, 100, 100, 3.47),
    ],
)
def test_known_bounds_at_a_delta_of_1e_5(canaries, guesses, correct, epsilon):
    assert epsilon_from_guesses(canaries, guesses, correct) == pytest.approx(epsilon, abs=0.006)


@pytest.mark.parametrize("guesses", [10, 100, 5000])
def test_without_delta_all_right_guesses_give_the_closed_form(guesses):
    # P[all right] = q^r = .05 at q = .05^(1/r), and epsilon = log(q / (1 - q))
    right = 0.05 ** (1 / guesses)
    expected = math.log(right / (1 - right))
    found = epsilon_from_guesses(guesses, guesses, guesses, delta=0.0)
    assert found == pytest.approx(expected, rel=1e-6)


def test_p_value_of_two_guesses_worked_by_hand():
    # epsilon 0, q 1/2, r = v = 2: beta = 1/4; P[2 > W >= 2 - i] / i = 1/2 and 3/8; max 1/2
    found = audit_p_value(10, 2, 2, 0.0, delta=0.01)
    assert found == pytest.approx(1 / 4 + 2 * 10 * 0.01 * 1 / 2)


@settings(max_examples=25)
@given(st.integers(10, 400), st.integers(0, 100))
def test_bound_rises_with_right_guesses_and_with_their_number(guesses, percent):
    correct = guesses * percent // 100
    bound = epsilon_from_guesses(1000, guesses, correct)
    assert bound <= epsilon_from_guesses(1000, guesses, min(guesses, correct + 1)) + 1e-9
    assert epsilon_from_guesses(1000, guesses, guesses) <= epsilon_from_guesses(
        1000, guesses + 10, guesses + 10
    )


def test_a_larger_delta_proves_less():
    bounds = [epsilon_from_guesses(500, 500, 450, delta=d) for d in (0.0, 1e-5, 1e-4, 1e-3)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[0] > bounds[-1]


def test_noise_scores_prove_nothing_in_most_runs():
    rng = np.random.default_rng(0)
    bounds = [
        epsilon_lower_bound(rng.normal(size=400), rng.random(400) < 0.5).epsilon for _ in range(100)
    ]
    assert np.mean(np.array(bounds) > 0) <= 0.1  # 5% may, by definition


def test_perfect_scores_prove_what_perfect_guesses_prove():
    planted = np.random.default_rng(1).random(1000) < 0.5
    few = 2 * int(min(planted.sum(), (~planted).sum()) // 2)
    found = epsilon_lower_bound(planted.astype(float), planted, num_guesses=few // 2)
    assert found.num_correct == few // 2
    assert found.epsilon == epsilon_from_guesses(1000, few // 2, few // 2)


def test_several_looks_are_paid_for():
    planted = np.random.default_rng(1).random(1000) < 0.5
    tried = epsilon_lower_bound(planted.astype(float), planted)
    alone = epsilon_lower_bound(planted.astype(float), planted, num_guesses=tried.num_guesses)
    assert tried.looks == 7  # 1000, 500, 250, 125, 62, 31, 15
    assert tried.epsilon < alone.epsilon


def test_equal_scores_do_not_follow_the_order_of_the_canaries():
    planted = np.arange(400) < 200
    found = epsilon_lower_bound(np.zeros(400), planted, num_guesses=400)
    assert found.epsilon < 0.2
    assert 150 < found.num_correct < 250


@pytest.mark.parametrize(
    ("scores", "planted", "options", "told"),
    [
        ([1.0, 2.0], [True], {}, "one score and one coin"),
        ([1.0, np.nan], [True, False], {}, "finite"),
        ([1.0] * 100, [True] * 100, {}, "no fair coin"),
        ([1.0, 2.0], [True, False], {"delta": 1.0}, "delta"),
        ([1.0, 2.0], [True, False], {"confidence": 0.0}, "confidence"),
        ([1.0, 2.0], [True, False], {"num_guesses": 3}, "num_guesses"),
        ([1.0, 2.0], [0, 3], {}, "truth values"),
    ],
)
def test_unusable_audits_are_refused(scores, planted, options, told):
    with pytest.raises(SettingsError, match=told):
        epsilon_lower_bound(scores, planted, **options)


def test_exposure_is_the_bits_by_which_the_rank_is_better_than_last():
    assert exposure(1.0, [2.0] * 7) == 3.0  # first of 8
    assert exposure(1.0, [0.5, 2.0, 2.0]) == 1.0  # second of 4
    assert exposure(1.0, [1.0, 1.0, 1.0]) == 0.0  # ties count against
    with pytest.raises(SettingsError, match="alternative"):
        exposure(1.0, [])


def test_exposure_table_lists_most_repeated_canaries_first():
    table = exposure_table({0: [1.0, 2.0], 16: [9.0, 11.0, 10.0]})
    assert table.rows == (
        ("planted 16 times", 3, 10.0, 11.0),
        ("planted 0 times", 2, 1.5, 2.0),
    )


def test_audit_metric_reports_the_bound():
    planted = tuple(bool(b) for b in np.random.default_rng(0).random(200) < 0.5)
    audit = CanaryAudit(scores=tuple(map(float, planted)), planted=planted)
    column = CodedColumn(name="x", is_numeric=True)
    table = CodedTable(columns=(column,), cells=np.zeros((1, 1)))
    found = audit.compute(Comparison(train=table, synthetic=table, holdout=table))
    assert found.figures[0].value == epsilon_lower_bound(audit.scores, planted).epsilon
    assert found.counts["canaries"] == 200
