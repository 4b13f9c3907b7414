"""Pairs: joint distances, information and association worked by hand; the interaction test."""

import numpy as np
import pandas as pd
import pytest
from llmsynth_eval.coded_table import encode
from llmsynth_eval.fidelity import pair_counts, pairs
from llmsynth_eval.fidelity.association import associations
from llmsynth_eval.fidelity.interaction_test import same_association
from llmsynth_eval.fidelity.pair_bins import Layout, bin_for_pairs, coarse_bins, number_edges
from llmsynth_eval.fidelity.pair_scores import cramers_v, information, pair_distances
from llmsynth_eval.input_tables import plan_columns
from llmsynth_eval.metric import Comparison
from scipy import stats

NAN = float("nan")
TWO = Layout(sizes=np.array([3, 3]))


def compared(train, synthetic, **settings):
    frames = {"train": train, "synthetic": synthetic, "holdout": train}
    return Comparison(**encode(frames, plan_columns(train)), **settings)


def _spiked(values):
    """Every value holds more than a twentieth of eleven rows, so both its sides are edges."""
    return [edge for value in values for edge in (value, np.nextafter(value, np.inf))]


def counts_of(table):
    """Counts of shape (bins, bins) from a two by two table, both missing bins empty."""
    out = np.zeros((6, 6))
    out[:2, 3:5] = table
    out[3:5, :2] = np.transpose(table)
    out[[0, 1], [0, 1]] = np.sum(table, axis=1)
    out[[3, 4], [3, 4]] = np.sum(table, axis=0)
    return out


def test_numbers_are_cut_at_deciles_and_both_sides_of_a_spike():
    zeros = np.concatenate([np.zeros(90), np.arange(1, 11)])
    edges = number_edges(zeros)
    assert len(set(np.searchsorted(edges, [-1, 0, 1], side="right").tolist())) == 3
    assert number_edges(np.arange(1.0, 12.0)).tolist() == pytest.approx([*_spiked(range(2, 11))])
    assert number_edges(np.array([NAN])).tolist() == []


def test_each_row_is_counted_once_in_every_pair(monkeypatch):
    monkeypatch.setattr(pair_counts, "CHUNK_ROWS", 7)
    rng = np.random.default_rng(0)
    codes = np.stack([rng.integers(0, 3, 50), rng.integers(0, 3, 50)]).astype(np.int16)
    counted = pair_counts.pair_counts(codes, TWO, np.arange(50), num_blocks=4).sum(axis=0)
    expected = pd.crosstab(codes[0], codes[1]).to_numpy()
    assert (counted[:3, 3:] == expected).all()
    assert (counted[3:, :3] == expected.T).all()
    assert counted[:3, :3].tolist() == np.diag(expected.sum(axis=1)).tolist()


def test_joint_distance_worked_by_hand():
    even, diagonal = counts_of([[1, 1], [1, 1]]), counts_of([[2, 0], [0, 2]])
    assert pair_distances(even, diagonal, TWO)[0, 1] == pytest.approx(0.5)
    assert pair_distances(even, diagonal, TWO)[0, 0] == 0


def test_information_worked_by_hand():
    found = information(counts_of([[2, 0], [0, 2]]), TWO)
    assert found.mutual[0, 1] == pytest.approx(np.log(2))
    assert found.normalised[0, 1] == pytest.approx(1)
    assert information(counts_of([[1, 1], [1, 1]]), TWO).mutual[0, 1] == pytest.approx(0)


def test_theils_u_is_the_part_of_the_first_that_the_second_explains():
    layout = Layout(sizes=np.array([4, 3]))
    counts = np.zeros((7, 7))
    # the first column has three levels, the second says only whether it is the first of them
    counts[0, 0], counts[1, 1], counts[2, 2] = 2, 1, 1
    counts[4, 4], counts[5, 5] = 2, 2
    counts[0, 4] = counts[4, 0] = 2
    counts[1, 5] = counts[5, 1] = counts[2, 5] = counts[5, 2] = 1
    u = information(counts, layout).theils_u
    assert u[1, 0] == pytest.approx(1)
    assert u[0, 1] == pytest.approx(np.log(2) / (1.5 * np.log(2)))


def test_association_is_that_of_one_pair_at_a_time():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, (4, 300))
    codes[1] = np.where(rng.random(300) < 0.5, codes[0], codes[1])
    layout = Layout(sizes=np.full(4, 3))
    counted = pair_counts.pair_counts(
        codes.astype(np.int16), layout, np.arange(300), num_blocks=1
    ).sum(axis=0, dtype=float)
    ours = cramers_v(counted, layout)
    upper = np.triu_indices(4, 1)
    assert ours[upper] == pytest.approx(associations(codes, [3] * 4)[upper])


def test_the_same_odds_ratio_with_other_margins_is_the_same_association():
    table = np.array([[40.0, 10], [20, 30]])
    found = same_association(counts_of(table), counts_of(table * [[3], [1]] * [1, 2]), TWO)
    assert found.p_value[0, 1] == pytest.approx(1, abs=1e-4)


def test_the_interaction_statistic_is_bartletts():
    first, second = np.array([[156.0, 107], [84, 133]]), np.array([[84.0, 133], [156, 107]])
    # Bartlett's cuttings: a shift d with equal odds ratios in both tables, here 36.5 by symmetry
    shifted = [side - np.array([[1, -1], [-1, 1]]) * d for side, d in ((first, 0), (second, 0))]
    found = same_association(counts_of(shifted[0]), counts_of(shifted[1]), TWO)
    ratio = np.log(156 * 133 / (107 * 84)) * 2
    wald = ratio**2 / (2 * sum(1 / n for n in (156, 107, 84, 133)))
    assert found.p_value[0, 1] == pytest.approx(stats.chi2.sf(wald, 1), rel=0.5)
    assert found.p_value[0, 1] < 1e-8


def test_levels_that_one_table_lacks_take_no_part():
    lost = counts_of([[40, 10], [0, 0]])
    found = same_association(counts_of([[40, 10], [20, 30]]), lost, TWO)
    assert found.p_value[0, 1] == 1


def test_p_values_of_equal_associations_are_about_uniform():
    rng = np.random.default_rng(0)
    shares = np.array([[0.4, 0.1], [0.2, 0.3]])
    p_values = []
    for _ in range(400):
        draws = [rng.multinomial(500, shares.ravel()).reshape(2, 2) for _ in range(2)]
        p_values.append(same_association(*map(counts_of, draws), TWO).p_value[0, 1])
    assert stats.kstest(p_values, "uniform").pvalue > 0.001


def test_coarse_bins_join_neighbours_and_rare_levels():
    table = pd.DataFrame({"n": np.arange(1000.0), "c": ["a"] * 900 + ["b"] * 90 + ["d"] * 10})
    comparison = compared(table, table)
    (codes, _), layout = bin_for_pairs(comparison.train, comparison.synthetic)
    counts = np.concatenate(
        [np.bincount(c, minlength=s) for c, s in zip(codes, layout.sizes, strict=True)]
    )
    mapped, coarse = coarse_bins(comparison.train.columns, layout, counts.astype(float))
    assert coarse.sizes.tolist() == [6, 4]
    assert mapped[:11].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert mapped[11:].tolist() == [6, 7, 8, 9]


def test_pairs_of_equal_tables_are_equal_and_one_column_has_none():
    table = pd.DataFrame({"a": list("xyxy"), "b": [1, 2, 3, 4]})
    measurement = pairs.Pairs().compute(compared(table, table))
    assert {figure.value for figure in measurement.figures} == {0}
    alone = pairs.Pairs().compute(compared(table[["a"]], table[["a"]]))
    assert alone.figures == ()
    assert alone.headlines[0].answer == "not measured"


def test_above_the_limit_columns_are_sampled_and_it_is_said(monkeypatch):
    monkeypatch.setattr(pairs, "MAX_COLUMNS", 3)
    table = pd.DataFrame(np.random.default_rng(0).integers(0, 3, (30, 5))).rename(columns=str)
    measurement = pairs.Pairs().compute(compared(table, table))
    assert len(measurement.pairs) == 3
    assert any("3 of 5 columns" in note for note in measurement.notes)
