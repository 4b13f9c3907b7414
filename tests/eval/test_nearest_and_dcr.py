"""DCR share and copies on points that can be placed by hand."""

import numpy as np
import pandas as pd
import pytest
from llmsynth_eval.coded_table import encode
from llmsynth_eval.input_tables import plan_columns
from llmsynth_eval.intervals import wilson
from llmsynth_eval.privacy import nearest
from llmsynth_eval.privacy.nearest import Space, nearest_distances
from llmsynth_eval.runner import judge


def line(*places):
    return pd.DataFrame({"x": [float(place) for place in places]})


def distances(train, rows):
    tables = encode({"train": train, "rows": rows}, plan_columns(train))
    space = Space(tables["train"])
    return nearest_distances(space.place(tables["rows"]), space.place(tables["train"]))


def test_share_on_a_line_counts_ties_as_half():
    # train at 0 and 10, holdout at 4 and 14: 1 is nearer to train, 3 and 13 to the holdout,
    # 2 and 12 lie halfway
    judgement = judge(line(0, 10), line(1, 2, 3, 12, 13), line(4, 14))
    assert judgement.values["dcr_share"] == pytest.approx((1 + 2 / 2) / 5)
    assert judgement.intervals["dcr_share"] == pytest.approx(wilson(2, 5))
    assert judgement.counts["synthetic rows as near to both"] == 2
    assert judgement.floors["dcr_share"] == 0.5


def test_standard_deviation_categories_and_missing_numbers_set_the_distances():
    train = pd.DataFrame({"x": [0.0, 2.0], "c": ["a", "a"]})  # mean 1, deviation 1
    rows = pd.DataFrame({"x": [3.0, 2.0, np.nan], "c": ["a", "b", "a"]})
    # a gap of 1 deviation; a category mismatch 2 * .7071^2; the mean and an indicator
    expected = [1.0, 2 * 0.7071**2, 1 + 0.7071**2]
    assert distances(train, rows) == pytest.approx(expected, abs=1e-6)


def test_wide_categories_measure_like_one_hot_ones(monkeypatch):
    rng = np.random.default_rng(0)
    train, rows = (
        pd.DataFrame({"x": rng.normal(size=40), "c": rng.integers(0, 9, 40).astype(str)})
        for _ in range(2)
    )
    narrow = distances(train, rows)
    monkeypatch.setattr(nearest, "ONE_HOT_LEVELS", 1)
    assert distances(train, rows) == pytest.approx(narrow, abs=1e-6)


def test_blocks_do_not_change_the_distances(monkeypatch):
    rng = np.random.default_rng(0)
    train, rows = (pd.DataFrame(rng.normal(size=(70, 3)), columns=list("abc")) for _ in range(2))
    whole = distances(train, rows)
    monkeypatch.setattr(nearest, "BLOCK_CELLS", 70 * 11)
    assert np.array_equal(distances(train, rows), whole)
    gaps = (rows.to_numpy()[:, None] - train.to_numpy()[None]) / train.to_numpy().std(axis=0)
    assert whole == pytest.approx((gaps**2).sum(axis=2).min(axis=1), abs=1e-5)


def test_rows_in_train_and_in_holdout_alike_are_ties():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(300, 5)) * [1, 10, 1e3, 1e6, 1e-3])
    shuffled = table.sample(frac=1, random_state=1)
    assert judge(table, table.head(200), shuffled).values["dcr_share"] == 0.5


def test_train_is_cut_to_the_size_of_the_holdout():
    rng = np.random.default_rng(0)
    train, synthetic, holdout = (pd.DataFrame(rng.normal(size=(n, 2))) for n in (2000, 800, 200))
    judgement = judge(train, synthetic, holdout, floor=False)
    low, high = judgement.intervals["dcr_share"]
    assert low < 0.5 < high
    assert judgement.counts["rows in each DCR reference"] == 200


def test_copies_count_rows_equal_in_every_column_missing_included():
    train = pd.DataFrame({"n": [1, 2, np.nan, 4], "c": ["a", "b", None, "d"]})
    synthetic = pd.DataFrame({"n": [1, 2, np.nan, np.nan], "c": ["a", "a", None, "d"]})
    holdout = pd.DataFrame({"n": [7, 2, 8, 4], "c": ["a", "a", None, "d"]})
    judgement = judge(train, synthetic, holdout)
    assert judgement.values["copies"] == 0.5  # rows 1 and 3
    assert judgement.values["copy_excess"] == 0.25  # less row 2, which the holdout has
    assert judgement.floors["copies"] == 0.25  # the holdout's last row is in train
    assert judgement.intervals["copies"] == pytest.approx(wilson(2, 4))


def test_copied_rows_raise_the_share_and_the_excess():
    rng = np.random.default_rng(0)
    train, fresh, holdout = (pd.DataFrame(rng.normal(size=(600, 4))) for _ in range(3))
    mixed = pd.concat([fresh.head(420), train.head(180)])
    clean = judge(train, fresh, holdout, floor=False)
    planted = judge(train, mixed, holdout, floor=False)
    assert clean.values["copies"] == 0
    assert planted.values["copies"] == pytest.approx(0.3)
    assert planted.intervals["copy_excess"][0] > 0.25
    assert planted.values["dcr_share"] == pytest.approx(0.5 * 0.7 + 0.3, abs=0.04)
    assert "copied beyond chance" in planted.verdict()
    assert "nearer to train rows" in planted.verdict()
    assert "WARNING" not in clean.verdict()


def test_single_precision_finds_the_same_neighbours(monkeypatch):
    rng = np.random.default_rng(0)
    train, rows = (
        pd.DataFrame(rng.normal(size=(300, 6)), columns=list("abcdef")) for _ in range(2)
    )
    double = distances(train, rows)
    monkeypatch.setattr(nearest, "DOUBLE_COORDINATES", 0)
    assert distances(train, rows) == pytest.approx(double, abs=1e-5)
    assert distances(train, train).max() == 0
