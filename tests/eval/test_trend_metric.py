"""Trend: joint TV distances worked by hand, bins at train deciles, sampling of pairs."""

import numpy as np
import pandas as pd
import pytest
from llmsynth_eval.bins import binned, decile_edges
from llmsynth_eval.fidelity import trend
from llmsynth_eval.runner import judge


def categories(pairs):
    return pd.DataFrame(pairs, columns=["x", "y"])


def test_two_by_two_tables_worked_by_hand():
    # train: all four cells .25; synthetic: .5 on the diagonal; TV = (4 * .25) / 2
    train = categories([("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")])
    synthetic = categories([("a", "c"), ("a", "c"), ("b", "d"), ("b", "d")])
    judgement = judge(train, synthetic, train)
    assert judgement.values["trend"] == pytest.approx(0.5)
    assert judgement.values["shape"] == 0
    assert (judgement.pairs[0].first, judgement.pairs[0].second) == ("x", "y")


def test_numbers_are_cut_at_train_deciles_with_missing_apart():
    edges = decile_edges(np.arange(1.0, 12.0))
    assert edges.tolist() == [2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert binned(np.array([1, 2, 10, 99, np.nan]), edges).tolist() == [0, 1, 9, 9, 10]


def test_equal_deciles_are_merged():
    assert decile_edges(np.array([0.0] * 50 + [1.0] * 50)).tolist() == [0, 0.5, 1]
    assert decile_edges(np.array([np.nan])).tolist() == []


def test_mixed_pair_worked_by_hand():
    # the decile edges of ten distinct numbers put each into a bin of its own
    train = pd.DataFrame({"n": range(10), "c": ["a"] * 5 + ["b"] * 5})
    synthetic = pd.DataFrame({"n": range(10), "c": ["b"] * 5 + ["a"] * 5})
    assert judge(train, synthetic, train).values["trend"] == pytest.approx(1.0)


def test_sparse_and_dense_counting_agree(monkeypatch):
    rng = np.random.default_rng(0)
    train, synthetic = (pd.DataFrame(rng.integers(0, 4, (80, 3))).astype(str) for _ in range(2))
    dense = judge(train, synthetic, train)
    monkeypatch.setattr(trend, "DENSE_CELLS", 1)
    assert judge(train, synthetic, train).pairs == dense.pairs


def test_above_the_limit_pairs_are_sampled_by_the_seed_and_it_is_said(monkeypatch):
    monkeypatch.setattr(trend, "MAX_PAIRS", 7)
    table = pd.DataFrame(np.random.default_rng(0).integers(0, 3, (30, 6)))
    first, again = (judge(table, table, table, seed=4) for _ in range(2))
    assert len(first.pairs) == 7
    assert first.pairs == again.pairs
    assert any("7 of 15 column pairs" in note for note in first.notes)


def test_three_hundred_columns_are_feasible():
    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.integers(0, 3, (60, 300)))
    judgement = judge(wide, wide, wide, max_rows=20, floor=False)
    assert judgement.values["trend"] == 0
    assert len(judgement.pairs) == 5000
