"""QScore: identical tables, hand-worked errors, broken relations, and order."""

import numpy as np
import pandas as pd
import pytest
from llmsynth_eval.coded_table import encode
from llmsynth_eval.input_tables import plan_columns
from llmsynth_eval.metric import Comparison
from llmsynth_eval.utility.queries import QScore


def linked(rows, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    y = np.where(rng.random(rows) < 0.1, np.nan, x + rng.normal(size=rows))
    return pd.DataFrame({"x": x, "y": y, "side": np.where(x > 0, "high", "low")})


def scored(train, synthetic, holdout, seed=0):
    frames = {"train": train, "synthetic": synthetic, "holdout": holdout}
    tables = encode(frames, plan_columns(train))
    return QScore().compute(Comparison(**tables, seed=seed))


TRAIN, FRESH, HOLDOUT = (linked(2_000, n) for n in range(3))


def test_the_same_table_answers_every_query():
    assert scored(TRAIN, TRAIN, HOLDOUT).figures[0].value == pytest.approx(1)


def test_fresh_rows_are_at_the_floor_and_a_broken_relation_is_below():
    (good,) = scored(TRAIN, FRESH, HOLDOUT).figures
    assert good.value == pytest.approx(good.floor, abs=0.02)
    mixed = FRESH.assign(side=np.random.default_rng(0).permutation(FRESH.side.to_numpy()))
    (bad,) = scored(TRAIN, mixed, HOLDOUT).figures
    assert bad.interval[1] < bad.floor_interval[0]


def test_a_single_category_column_by_hand():
    """Half against a quarter is an error of 1/2; half against three quarters of 1/3."""
    train, synthetic = (pd.DataFrame({"c": list(cells)}) for cells in ("aabb", "abbb"))
    found = scored(train, synthetic, train)
    (row,) = found.tables[0].rows
    drawn = row[1]
    assert 1 / 3 < row[2] < 1 / 2
    assert row[2] * drawn * 6 == pytest.approx(round(row[2] * drawn * 6), abs=1e-3)
    assert found.figures[0].floor == pytest.approx(1)


def test_an_average_that_moves_by_a_deviation_is_the_worst_error():
    train = pd.DataFrame({"c": ["a"] * 1_000, "x": np.tile([-1.0, 1.0], 500)})
    found = scored(train, train.assign(x=train.x + 2), train)
    errors = {row[0]: row[2] for row in found.tables[0].rows}
    assert errors["average, 1 condition"] == pytest.approx(1)


def test_a_synthetic_table_without_any_number_gets_a_number():
    found = scored(TRAIN, FRESH.assign(y=np.nan), HOLDOUT)
    assert 0 < found.figures[0].value < 0.95


def test_order_changes_no_digit():
    turned = [t.sample(frac=1, random_state=4)[t.columns[::-1]] for t in (TRAIN, FRESH, HOLDOUT)]
    assert scored(*turned) == scored(TRAIN, FRESH, HOLDOUT)
