"""Correlations, triples, alpha-precision and subgroups: worked by hand, or known by theory."""

import numpy as np
import pandas as pd
import pytest
from llmsynth_eval.coded_table import encode
from llmsynth_eval.fidelity import METRICS, correlations, triples
from llmsynth_eval.fidelity.alpha_beta import LEVELS, AlphaBeta, score, typicality
from llmsynth_eval.fidelity.correlations import Correlations, correlation_ratios, moments, ranks
from llmsynth_eval.fidelity.subgroups import Subgroups
from llmsynth_eval.fidelity.triples import Triples, drawn_triples
from llmsynth_eval.input_tables import plan_columns
from llmsynth_eval.metric import Comparison

NAN = float("nan")


def compared(train, synthetic, holdout=None, **settings):
    train, synthetic = train.rename(columns=str), synthetic.rename(columns=str)
    frames = {"train": train, "synthetic": synthetic}
    frames["holdout"] = train if holdout is None else holdout
    return Comparison(**encode(frames, plan_columns(train)), **settings)


def values(measurement):
    return {figure.name: figure.value for figure in measurement.figures}


def test_correlation_is_that_of_the_rows_where_both_are_present():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(200, 3)) @ rng.normal(size=(3, 3)))
    frame = frame.mask(rng.random(frame.shape) < 0.2)
    ours = moments(frame.to_numpy()).correlation()
    assert ours == pytest.approx(frame.corr().to_numpy())


def test_without_gaps_spearman_is_the_textbooks_and_a_constant_has_none():
    frame = pd.DataFrame({"a": [1, 5, 2, 8, 8, 3], "b": [2.0, 9, 1, 7, 7, 4], "c": 4.2})
    ours = moments(ranks(frame.to_numpy(float))).correlation()
    assert ours[0, 1] == pytest.approx(frame.corr(method="spearman").iloc[0, 1])
    assert np.isnan(ours[2]).all()


def test_correlation_ratio_worked_by_hand():
    # means 1 and 4 around 2.5: between 9 of a total of 10 (scaled alike)
    frame = pd.DataFrame({"x": [0.5, 1.5, 3.5, 4.5, 99], "c": ["a", "a", "b", "b", None]})
    table = encode({"train": frame}, plan_columns(frame))["train"]
    assert correlation_ratios(table)[0, 0] == pytest.approx(np.sqrt(0.9))
    same = frame.assign(c="a")
    assert correlation_ratios(encode({"train": same}, plan_columns(same))["train"])[0, 0] == 0


def test_a_reversed_column_turns_its_correlation_around():
    train = pd.DataFrame({"a": np.arange(40.0), "b": np.arange(40.0)})
    found = values(Correlations().compute(compared(train, train.assign(b=-train["b"]))))
    assert found == pytest.approx({"pearson_difference": 2, "spearman_difference": 2})


def test_above_the_limit_rows_are_sampled_and_it_is_said(monkeypatch):
    monkeypatch.setattr(correlations, "MAX_ROWS", 30)
    train = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 2))).rename(columns=str)
    notes = Correlations().compute(compared(train, train)).notes
    assert any("at most 30 rows" in note for note in notes)
    assert any("no two such columns" in note for note in notes)


def test_a_three_way_relation_that_no_pair_shows_is_seen():
    train = pd.DataFrame([(a, b, a ^ b) for a in (0, 1) for b in (0, 1)] * 30).astype(str)
    other = pd.DataFrame([(a, b, 1 - a ^ b) for a in (0, 1) for b in (0, 1)] * 30).astype(str)
    measurement = Triples().compute(compared(train, other))
    assert values(measurement) == {"triple_distance": 1}
    assert measurement.tables[0].rows == (("0", "1", "2", 1.0, 0.0),)


def test_triples_are_all_or_a_stated_sample(monkeypatch):
    assert drawn_triples(4, 0) == [(0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3)]
    assert len(set(drawn_triples(40, 0))) == triples.MAX_TRIPLES
    monkeypatch.setattr(triples, "MAX_TRIPLES", 2)
    table = pd.DataFrame(np.random.default_rng(0).integers(0, 3, (30, 5))).astype(str)
    measurement = Triples().compute(compared(table, table))
    assert any("2 of 10" in note for note in measurement.notes)


def test_alpha_and_beta_scores_worked_by_hand():
    rows = np.array([100.0])
    assert score(LEVELS[None] * 100, rows)[0] == pytest.approx(1)
    # all rows in every ball: 1 - sum (1 - alpha) / sum alpha over thirty levels
    assert score(np.full((1, 30), 100.0), rows)[0] == pytest.approx(1 - 14.5 / 15.5)


def test_typical_rows_are_precise_and_outlandish_ones_are_not():
    rng = np.random.default_rng(0)
    real, fresh = rng.normal(size=(2, 600, 3))
    equal = typicality(real, fresh)
    assert equal.precise.mean(axis=0) == pytest.approx(LEVELS, abs=0.07)
    assert equal.recalled[:, -1].mean() == pytest.approx(0.5, abs=0.07)
    far = typicality(real, fresh * 10)
    assert far.precise.mean() < 0.05
    centre = typicality(real, fresh * 0.01)
    assert centre.precise.all()
    assert centre.recalled[:, -1].mean() < 0.1
    copied = typicality(real, real)
    assert copied.recalled[:, -1].all()


def test_alpha_beta_needs_rows_and_says_so():
    table = pd.DataFrame({"x": [1.0, 2.0]})
    measurement = AlphaBeta().compute(compared(table, table))
    assert measurement.figures == ()
    assert measurement.notes


def test_a_fault_within_one_rare_group_shows_there():
    rng = np.random.default_rng(0)
    train, synthetic, holdout = (
        pd.DataFrame({"g": ["a"] * 970 + ["b"] * 30, "x": rng.normal(size=1000)}) for _ in range(3)
    )
    synthetic.loc[synthetic["g"] == "b", "x"] += 5
    measurement = Subgroups(column="g").compute(compared(train, synthetic, holdout))
    found = {figure.name: figure for figure in measurement.figures}
    rare = found["rare_group_distance"]
    assert rare.value > 0.9 > 0.5 > rare.floor
    assert rare.interval[0] > rare.floor_interval[1]
    assert found["subgroup_distance"].value == pytest.approx(rare.value / 2, abs=0.05)
    assert measurement.tables[0].rows[0][:4] == ("b", "rare", 30, 30)


def test_groups_of_a_number_are_quartiles_and_small_ones_are_left_blank():
    train = pd.DataFrame({"n": np.arange(100.0), "x": np.arange(100.0)})
    synthetic = train[train["n"] < 60]
    measurement = Subgroups(column="n").compute(compared(train, synthetic))
    rows = {row[0]: row for row in measurement.tables[0].rows}
    assert rows["below 24.75"][2:4] == (25, 25)
    assert rows["74.25 or more"][3] == 0
    assert rows["74.25 or more"][8] is None
    assert values(measurement) == {"subgroup_distance": 0}


def test_without_a_column_or_a_target_subgroups_say_so():
    table = pd.DataFrame({"a": [1, 2], "b": [1, 2]})
    assert Subgroups().compute(compared(table, table)).notes
    assert Subgroups(column="z").compute(compared(table, table)).notes


def test_one_row_tables_are_measured_as_far_as_they_can_be():
    one = pd.DataFrame({"a": [1.0], "b": ["x"], "c": [NAN]})
    comparison = compared(one, one, target="b")
    for metric in METRICS:
        for figure in metric.compute(comparison).figures:
            assert figure.value is None or np.isfinite(figure.value)
