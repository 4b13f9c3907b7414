"""Planted faults on Adult raise the headline that should, and fresh real rows raise none."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from llmsynth_eval.coded_table import CodedTable, encode
from llmsynth_eval.fidelity.columns import ColumnDistances
from llmsynth_eval.fidelity.coverage import Coverage
from llmsynth_eval.fidelity.lost_levels import absence_p_values
from llmsynth_eval.fidelity.many_tests import LEVEL, Comparisons, Difference, answered
from llmsynth_eval.fidelity.missing_rates import MissingRates
from llmsynth_eval.fidelity.pairs import Pairs
from llmsynth_eval.input_tables import plan_columns
from llmsynth_eval.metric import Comparison

from llmsynth import demo_tables

NUMERIC = (
    "age",
    "fnlwgt",
    "education_num",
    "capital_gain",
    "capital_loss",
    "hours_per_week",
)
METRICS = (ColumnDistances(), Coverage(), MissingRates(), Pairs())
ABOUT = Comparisons(
    name="x", question="?", subject="column", subjects="columns", unit="TV distance"
)


@pytest.fixture(scope="module")
def adult():
    table = demo_tables.load("adult").to_pandas()
    return table.assign(**{name: pd.to_numeric(table[name]) for name in NUMERIC})


def thirds(table, seed):
    order = np.random.default_rng(seed).permutation(len(table))
    return [table.iloc[part].reset_index(drop=True) for part in np.array_split(order, 3)]


def compared(train, synthetic, holdout, seed=0):
    frames = {"train": train, "synthetic": synthetic, "holdout": holdout}
    tables = encode(frames, plan_columns(train, numeric=NUMERIC))
    return Comparison(**tables, target="income", seed=seed, with_floor=False)


def headlines(comparison):
    return [headline for metric in METRICS for headline in metric.compute(comparison).headlines]


def alarms(comparison):
    return {headline.name for headline in headlines(comparison) if headline.answer == "alarm"}


def nothing(table, rng):
    return table


def shuffled(table, rng):
    return table.assign(hours_per_week=rng.permutation(table["hours_per_week"]))


def unimportant_shuffled(table, rng):
    return table.assign(fnlwgt=rng.permutation(table["fnlwgt"]))


def correlation_destroyed(table, rng):
    return table.assign(education_num=rng.permutation(table["education_num"]))


def rare_class_dropped(table, rng):
    return table[table["education"] != "Doctorate"]


def target_class_dropped(table, rng):
    return table[table["income"] != ">50K"]


def class_relabelled(table, rng):
    others = table["race"][table["race"] != "Black"]
    drawn = rng.choice(others, len(table))
    return table.assign(race=np.where(table["race"] == "Black", drawn, table["race"]))


def imputed(table, rng):
    filled = {}
    for name in ("workclass", "occupation", "native_country"):
        drawn = rng.choice(table[name].dropna(), len(table))
        filled[name] = np.where(table[name].isna(), drawn, table[name])
    return table.assign(**filled)


def imputed_by_the_mode(table, rng):
    names = ("workclass", "occupation", "native_country")
    return table.assign(**{name: table[name].fillna(table[name].mode()[0]) for name in names})


def labels_flipped(table, rng):
    flipped = np.where(table["income"] == ">50K", "<=50K", ">50K")
    return table.assign(income=np.where(rng.random(len(table)) < 0.1, flipped, table["income"]))


def weights_bent(table, rng):
    low, high = table["fnlwgt"].min(), table["fnlwgt"].max()
    share = (table["fnlwgt"] - low) / (high - low)
    return table.assign(fnlwgt=low + (high - low) * share**1.1)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (nothing, set()),
        (shuffled, {"associations"}),
        (unimportant_shuffled, {"associations"}),
        (correlation_destroyed, {"associations"}),
        (rare_class_dropped, {"coverage"}),
        (target_class_dropped, {"coverage"}),
        (class_relabelled, {"coverage"}),
        (imputed, {"missing"}),
        (imputed_by_the_mode, {"missing"}),
        (labels_flipped, set()),
        (weights_bent, {"values"}),
    ],
    ids=lambda item: getattr(item, "__name__", ""),
)
def test_a_planted_fault_raises_the_headline_that_should(adult, fault, expected):
    train, synthetic, holdout = thirds(adult, 0)
    planted = fault(synthetic, np.random.default_rng(1)).reset_index(drop=True)
    assert alarms(compared(train, planted, holdout)) == expected


@pytest.mark.parametrize("seed", [1, 2])
def test_fresh_real_rows_raise_no_alarm(adult, seed):
    train, synthetic, holdout = thirds(adult, seed)
    assert alarms(compared(train, synthetic, holdout, seed)) == set()


@pytest.mark.slow
def test_forty_real_splits_alarm_no_more_often_than_the_level(adult):
    raised = dict.fromkeys(("values", "coverage", "missing", "associations"), 0)
    for seed in range(40):
        train, synthetic, holdout = thirds(adult, seed)
        for name in alarms(compared(train, synthetic, holdout, seed)):
            raised[name] += 1
    # at a level of 1% more than two alarms in forty have a probability below one percent
    assert max(raised.values()) <= 2
    assert sum(raised.values()) <= 4


def test_the_order_of_rows_and_columns_does_not_matter(adult):
    comparison = compared(*thirds(adult.head(3000), 0))
    rng = np.random.default_rng(0)
    columns = rng.permutation(len(comparison.train.columns))

    def moved(table):
        rows = rng.permutation(table.num_rows)
        named = tuple(table.columns[number] for number in columns)
        return CodedTable(columns=named, cells=table.cells[np.ix_(rows, columns)])

    other = replace(
        comparison,
        with_floor=False,
        **{role: moved(getattr(comparison, role)) for role in ("train", "synthetic", "holdout")},
    )
    for metric in METRICS:
        assert metric.compute(other) == metric.compute(comparison)


def test_the_answer_needs_both_certainty_and_size():
    small = Difference(about="a", p_value=1e-9, effect=0.01, margin=0.02)
    unsure = Difference(about="b", p_value=0.004, effect=0.5, margin=0.02)
    sure = Difference(about="c", p_value=0.001, effect=0.03, margin=0.02)
    assert answered([small, unsure, unsure], ABOUT).answer == "good"
    found = answered([small, unsure, sure], ABOUT)
    assert found.answer == "alarm"
    assert found.p_value == pytest.approx(0.003)
    assert (found.effect, found.level) == (0.03, LEVEL)
    assert "c (TV distance 0.030, p = 0.0030)" in found.words
    assert answered([], ABOUT).answer == "not measured"


def test_a_level_held_by_all_of_k_rows_of_one_side_is_a_matter_of_urns():
    # three rows of two equal tables of four: 4/8 * 3/7 * 2/6
    assert absence_p_values(np.array([3, 5]), 4, 4) == pytest.approx([1 / 14, 0.0])
