"""The headline `target`: planted faults on Adult, real against real, and its exact test."""

import numpy as np
import pandas as pd
import pytest
from llmsynth_eval.coded_table import encode
from llmsynth_eval.input_tables import plan_columns
from llmsynth_eval.metric import Comparison
from llmsynth_eval.utility.exchange_test import exchange_p_value
from llmsynth_eval.utility.importance import (
    agreement_within,
    permutation_importance,
    rank_correlation,
)
from llmsynth_eval.utility.target_relation import TargetRelation

from llmsynth import demo_tables
from llmsynth.errors import SettingsError

NUMBERS = [
    "age",
    "fnlwgt",
    "education_num",
    "capital_gain",
    "capital_loss",
    "hours_per_week",
]


def adult_thirds(seed, rows):
    adult = demo_tables.load("adult").to_pandas()
    adult[NUMBERS] = adult[NUMBERS].apply(pd.to_numeric)
    drawn = adult.sample(n=3 * rows, random_state=seed)
    return [drawn.iloc[n * rows : (n + 1) * rows].reset_index(drop=True) for n in range(3)]


def measured(train, synthetic, holdout, target="income", seed=0):
    frames = {"train": train, "synthetic": synthetic, "holdout": holdout}
    tables = encode(frames, plan_columns(train))
    return TargetRelation().compute(Comparison(**tables, target=target, seed=seed))


def answer(*tables, **kwargs):
    (headline,) = measured(*tables, **kwargs).headlines
    return headline


def shuffled(table, column, seed=3):
    cells = np.random.default_rng(seed).permutation(table[column].to_numpy(object))
    return table.assign(**{column: pd.Series(cells).astype(table[column].dtype)})


def flipped(table, share=0.1, seed=1):
    """As many rows of either class change it, so the class shares stay."""
    rng = np.random.default_rng(seed)
    labels = table.income.to_numpy(object).copy()
    first, second = np.unique(labels)
    number = int(share * len(table) / 2)
    to_second = rng.choice(np.flatnonzero(labels == first), number, replace=False)
    to_first = rng.choice(np.flatnonzero(labels == second), number, replace=False)
    labels[to_second], labels[to_first] = second, first
    return table.assign(income=labels)


TRAIN, FRESH, HOLDOUT = adult_thirds(0, 2_400)


def test_fresh_rows_and_a_shuffled_unimportant_column_are_good_flipped_labels_are_not():
    assert answer(TRAIN, FRESH, HOLDOUT).answer == "good"
    assert answer(TRAIN, shuffled(FRESH, "race"), HOLDOUT).answer == "good"
    flips = answer(TRAIN, flipped(FRESH), HOLDOUT)
    assert flips.answer == "alarm"
    assert flips.p_value < 0.01
    assert flips.effect > 0.03


def test_other_planted_faults_are_left_to_other_headlines():
    copies = pd.concat([TRAIN.head(24), FRESH.iloc[24:]], ignore_index=True)
    imputed = FRESH.fillna({c: FRESH[c].mode()[0] for c in FRESH})
    for fault in (copies, imputed):
        assert answer(TRAIN, fault, HOLDOUT).answer == "good"


@pytest.mark.slow
@pytest.mark.timeout(1_500)
def test_real_rows_alarm_no_more_often_than_stated_and_flips_always_do():
    """24 splits: below 1% expected, and p-values that are about even."""
    p_values, real, race, flips = [], [], [], []
    for seed in range(24):
        train, fresh, holdout = adult_thirds(seed, 4_000)
        found = answer(train, fresh, holdout, seed=seed)
        p_values.append(found.p_value)
        real.append(found.answer)
        if seed % 4 == 0:
            mixed = shuffled(fresh, "race", seed=seed)
            race.append(answer(train, mixed, holdout, seed=seed).answer)
            flips.append(answer(train, flipped(fresh, seed=seed), holdout, seed=seed).answer)
    assert set(real) == {"good"}
    assert set(race) == {"good"}
    assert set(flips) == {"alarm"}
    assert 0.2 < np.mean(p_values) < 0.8
    assert np.sum(np.array(p_values) < 0.01) <= 2


def test_a_lost_class_is_for_another_headline_and_one_class_is_not_measured():
    columns = ["race", "native_country", "age"]
    train, fresh, holdout = (table[columns].head(1_000) for table in (TRAIN, FRESH, HOLDOUT))
    found = measured(train, fresh[fresh.race != "Black"], holdout, target="race")
    assert found.headlines[0].answer != "alarm"
    assert any("not compared: Black" in note for note in found.notes)
    poor = FRESH[FRESH.income == FRESH.income.iloc[0]]
    assert answer(TRAIN, poor, HOLDOUT).answer == "not measured"


def test_a_balanced_synthetic_table_is_not_blamed_for_its_balance():
    rich, poor = (FRESH[FRESH.income == label] for label in sorted(FRESH.income.unique())[::-1])
    balanced = pd.concat([rich, poor.head(len(rich))])
    assert answer(TRAIN, balanced, HOLDOUT).answer == "good"


def test_a_number_is_judged_too():
    x = np.random.default_rng(0).normal(size=(3, 900, 2))
    tables = [pd.DataFrame({"a": t[:, 0], "b": t[:, 1], "y": t[:, 0] + 0.3 * t[:, 1]}) for t in x]
    assert answer(*tables, target="y").answer == "good"
    broken = tables[1].assign(y=-tables[1].y)
    assert answer(tables[0], broken, tables[2], target="y").answer == "alarm"


def test_what_cannot_be_asked_is_said():
    assert "no target" in answer(TRAIN, FRESH, HOLDOUT, target=None).words
    assert "400 rows" in answer(TRAIN, FRESH.head(300), HOLDOUT).words
    noise = [pd.DataFrame(np.random.default_rng(n).normal(size=(500, 2))) for n in range(3)]
    found = answer(*(t.rename(columns=str) for t in noise), target="0")
    assert found.answer == "not measured"
    assert "hardly any" in found.words


def test_row_and_column_order_do_not_matter():
    tables = [table.head(600) for table in (TRAIN, FRESH, HOLDOUT)]
    turned = measured(*(t.sample(frac=1, random_state=5)[t.columns[::-1]] for t in tables))
    assert measured(*tables) == turned


def test_importances_agree_about_as_well_as_halves_of_train_do():
    figures = {f.name: f for f in measured(TRAIN, FRESH, HOLDOUT).figures}
    agreed = figures["importance_agreement"]
    assert agreed.floor > 0.6
    assert agreed.value > agreed.floor - 0.2
    broken = shuffled(shuffled(FRESH, "relationship"), "capital_gain")
    worse = {f.name: f for f in measured(TRAIN, broken, HOLDOUT).figures}
    assert worse["importance_agreement"].value < agreed.value


def test_the_exchange_test_counts_labellings():
    low, high = np.arange(8.0), np.arange(8.0, 16.0)
    assert exchange_p_value(high, low) == pytest.approx(1 / 12_870)
    assert exchange_p_value(low, high) == 1
    assert exchange_p_value(low, low) > 0.5


def test_shuffling_the_only_used_column_costs_all_it_explains():
    frame = pd.DataFrame({"a": [0.0, 1.0] * 500, "b": 5.0, "c": 1.0})
    coded = encode({"train": frame}, plan_columns(frame))["train"]

    def losses(features):
        blocks = features.reshape(-1, 1_000, 3)
        return np.mean((blocks[:, :, 0] - coded.cells[:, 0]) ** 2, axis=1)

    found = permutation_importance(losses, coded.cells, coded.columns, seed=0)
    assert found[0] == pytest.approx(0.5, abs=0.06)
    assert list(found[1:]) == [0, 0]


def test_rank_correlation_is_spearmans():
    assert rank_correlation(np.array([1.0, 2, 3]), np.array([10.0, 20, 90])) == pytest.approx(1)
    assert rank_correlation(np.array([1.0, 2, 3]), np.array([2.0, 1, 3])) == pytest.approx(0.5)
    assert rank_correlation(np.array([1.0, 2, 3]), np.ones(3)) == 0
    assert agreement_within(np.tile([3.0, 1, 2], (8, 1)), seed=0) == pytest.approx((1, 0))


def test_a_margin_outside_its_range_is_refused():
    with pytest.raises(SettingsError, match="between 0 and 1"):
        TargetRelation(margin=1.5)
