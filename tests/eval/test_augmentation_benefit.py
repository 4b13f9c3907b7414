"""Augmentation: planted generators, hand-worked parts, and what is refused."""

import sys

import numpy as np
import pandas as pd
import pytest
from llmsynth_eval.coded_table import encode
from llmsynth_eval.input_tables import plan_columns
from llmsynth_eval.metric import Comparison
from llmsynth_eval.utility import RareClassBenefit, augmentation_benefit
from llmsynth_eval.utility.arm_results import Trial, paired
from llmsynth_eval.utility.rare_rows import rare_rows
from llmsynth_eval.utility.rebalancing import Arm, RareTask, balanced_weights
from llmsynth_eval.utility.task import Task

from llmsynth import demo_tables
from llmsynth.errors import SettingsError, TableError


def rows_of(label, num_rows, seed):
    """The rare class lies in a shell around the common one: hard to learn from few rows."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, num_rows)
    radius = rng.normal(2.2, 0.25, num_rows) if label == "rare" else rng.normal(0, 1.0, num_rows)
    colour = np.where(rng.random(num_rows) < (0.7 if label == "rare" else 0.4), "red", "blue")
    return pd.DataFrame(
        {"x": radius * np.cos(angle), "y": radius * np.sin(angle), "colour": colour, "c": label}
    )


def table(num_rare, num_common, seed):
    return pd.concat(
        [rows_of("rare", num_rare, seed), rows_of("common", num_common, seed + 1)],
        ignore_index=True,
    )


TRAIN, TEST = table(20, 300, 0), table(300, 3_700, 10)
QUICK = {"target": "c", "learners": ("boosting",), "num_seeds": 3, "amounts": ("balance",)}


def judged(synthetic, **settings):
    return augmentation_benefit(TRAIN, TEST, synthetic, **{**QUICK, **settings})


def adult_rows():
    """Adult, its rich and its poor in a fixed random order."""
    adult = demo_tables.load("adult").to_pandas()
    numbers = [
        "age",
        "fnlwgt",
        "education_num",
        "capital_gain",
        "capital_loss",
        "hours_per_week",
    ]
    adult[numbers] = adult[numbers].apply(pd.to_numeric)
    adult = adult.sample(frac=1, random_state=0)
    return adult[adult.income == ">50K"], adult[adult.income == "<=50K"]


RICH, POOR = adult_rows()
ADULT_TRAIN = pd.concat([RICH[:30], POOR[:570]])
ADULT_TEST = pd.concat([RICH[1_000:1_200], POOR[1_000:4_800]])


def adult_judged(synthetic, amounts=("balance",)):
    settings = {"learners": ("boosting",), "num_seeds": 2, "amounts": amounts}
    return augmentation_benefit(ADULT_TRAIN, ADULT_TEST, synthetic, target="income", **settings)


@pytest.fixture(scope="module")
def fresh():
    return adult_judged(RICH[2_000:2_540], amounts=(1.0, "balance"))


def test_fresh_real_rows_of_the_class_are_a_gain(fresh):
    assert fresh.verdict == "gain"
    assert fresh.interval[0] > 0
    assert fresh.words.startswith("Gain: ")
    assert fresh.rare_rows.copy_share == 0
    assert fresh.rare_rows.distance == pytest.approx(fresh.rare_rows.train_distance, abs=0.06)


def test_copies_of_train_rows_are_no_gain_although_they_beat_doing_nothing():
    found = adult_judged(RICH[:30].sample(540, replace=True, random_state=1))
    assert found.verdict == "no gain detected"
    assert found.rows[-1].difference_interval[0] > 0
    assert found.rare_rows.copy_share == 1
    assert found.rare_rows.unique_share == pytest.approx(30 / 540)


def test_shuffled_labels_are_a_harm():
    of_any_label = pd.concat([RICH[2_000:2_027], POOR[5_000:5_513]])
    found = adult_judged(of_any_label.assign(income=">50K"))
    assert found.verdict == "harm"
    assert found.interval[1] < 0
    assert found.rare_rows.consistency < found.rare_rows.train_consistency


def test_every_arm_is_there_and_nothing_differs_from_nothing(fresh):
    titles = [row.arm.title for row in fresh.rows]
    assert titles == [
        "nothing",
        "class weights",
        "threshold tuning",
        "random oversampling, 30 added",
        "random oversampling, 540 added",
        "SMOTE-NC, 540 added",
        "ADASYN, 540 added",
        "synthetic rows, 30 added",
        "synthetic rows, 540 added",
    ]
    assert fresh.rows[0].difference == 0
    shown = fresh.table()
    assert all(len(row) == len(shown.columns) for row in shown.rows)
    assert fresh.notes == ()


def test_the_threshold_changes_f1_and_not_the_ranking(fresh):
    nothing, tuned = fresh.rows[0], fresh.rows[2]
    assert tuned.auprc == nothing.auprc
    assert tuned.f1 > nothing.f1


def test_other_classes_and_too_few_rows_are_noted_and_imbalanced_learn_may_be_absent(monkeypatch):
    monkeypatch.setitem(sys.modules, "imblearn", None)
    given = pd.concat([rows_of("rare", 40, 30), rows_of("common", 7, 31)])
    found = judged(given, learners=("linear",), num_seeds=2)
    assert {row.arm.kind for row in found.rows}.isdisjoint({"SMOTE-NC", "ADASYN"})
    assert any("imbalanced-learn" in note for note in found.notes)
    assert any(note.startswith("7 synthetic rows of other") for note in found.notes)
    assert any("280 synthetic rows were asked for, the table has 40" in n for n in found.notes)


def test_weights_balance_and_differences_combine_both_lucks():
    weights = balanced_weights(np.array([1.0, 0, 0, 0]))
    assert weights == pytest.approx([2, 2 / 3, 2 / 3, 2 / 3])
    differences = np.array([[0.1, 0.1, 0.1], [0.3, 0.3, 0.3]])
    value, (low, high) = paired(differences, level=0.05)
    assert value == pytest.approx(0.2)
    assert (high - low) / 2 == pytest.approx(1.96 * 0.1, abs=1e-3)


def coded_task(frame, synthetic):
    tables = encode({"train": frame, "synthetic": synthetic}, plan_columns(frame))
    cells = tables["train"].cells
    columns = tables["train"].columns
    is_rare = (cells[:, 3] == columns[3].levels.index("rare")).astype(float)
    train = Task(features=cells[:, :3], target=is_rare)
    return RareTask(columns=columns[:3], train=train, synthetic=tables["synthetic"].cells[:, :3])


@pytest.mark.parametrize("kind", ["SMOTE-NC", "ADASYN"])
def test_interpolated_rows_lie_between_rare_ones_and_keep_whole_categories(kind):
    task = coded_task(TRAIN, TRAIN)
    lesson, weights = task.lesson(Arm(kind=kind, num_added=100), seed=0)
    made = lesson.features[len(TRAIN) :]
    rare = task.train.features[task.train.target == 1]
    assert weights is None
    assert abs(len(made) - 100) <= 15
    assert set(np.unique(made[:, 2])) <= {0.0, 1.0}
    assert (made[:, :2].min(axis=0) >= rare[:, :2].min(axis=0) - 1e-9).all()
    assert (made[:, :2].max(axis=0) <= rare[:, :2].max(axis=0) + 1e-9).all()


def taught(columns, num_added):
    """What SMOTE-NC makes of these columns of TRAIN, and the rare rows it had."""
    whole = coded_task(TRAIN, TRAIN)
    features = whole.train.features[:, columns]
    task = RareTask(
        columns=tuple(whole.columns[column] for column in columns),
        train=Task(features=features, target=whole.train.target),
        synthetic=features,
    )
    lesson, _ = task.lesson(Arm(kind="SMOTE-NC", num_added=num_added), seed=0)
    return lesson.features[len(TRAIN) :], features[whole.train.target == 1]


def test_of_numbers_alone_smote_interpolates_between_two_rare_rows():
    made, rare = taught([0, 1], 50)
    assert made.shape == (50, 2)
    for row in made:
        # On a straight line between two rare rows: the way over it is no longer than the line.
        from_row = np.linalg.norm(rare - row, axis=1)
        detour = from_row[:, None] + from_row - np.linalg.norm(rare[:, None] - rare, axis=2)
        assert detour[~np.eye(len(rare), dtype=bool)].min() < 1e-9


def test_of_categories_alone_smote_takes_those_of_rare_rows():
    made, rare = taught([2, 2], 50)
    assert made.shape == (50, 2)
    assert set(np.unique(made)) <= set(np.unique(rare))
    assert (made[:, 0] == made[:, 1]).all()


def test_an_arm_that_cannot_be_taught_says_why():
    one = pd.concat([rows_of("rare", 1, 0), rows_of("common", 50, 1)], ignore_index=True)
    assert "two rows" in coded_task(one, one).lesson(Arm(kind="SMOTE-NC", num_added=9), seed=0)


def test_gower_distance_and_copies_by_hand():
    train = pd.DataFrame({"x": [0.0, 4.0], "y": [0.0, 0.0], "colour": "red", "c": "rare"})
    common = pd.DataFrame({"x": [2.0], "y": [2.0], "colour": ["blue"], "c": ["common"]})
    made = pd.DataFrame({"x": [0.0, 2.0], "y": [0.0, np.nan], "colour": "red", "c": "rare"})
    task = coded_task(pd.concat([train, common], ignore_index=True), made)
    found = rare_rows(task, task.train, seed=0)
    assert found.train_distance == pytest.approx((1 + 0 + 0) / 3)
    assert found.distance == pytest.approx((2 / 4 + 1 + 0) / 3)
    assert found.copy_share == 0.5


def test_odds_are_put_back_to_the_shares_of_train():
    """One in four taught as one in two: odds of 1 become odds of 1/3."""
    task = coded_task(table(10, 30, 3), TRAIN)
    trial = Trial(task=task, test=task.train, num_seeds=2, seed=0)
    arm = Arm(kind="random oversampling", num_added=20)
    assert trial._with_train_shares(np.array([0.5]), arm) == pytest.approx([0.25])
    assert trial._with_train_shares(np.array([0.5]), Arm(kind="nothing")) == pytest.approx([0.5])


def test_bad_input_is_refused_by_name():
    rare = rows_of("rare", 30, 30)
    for settings, message in (
        ({"target": "z"}, "not a judged column"),
        ({"target": "x"}, "is a number"),
        ({"minority": "odd"}, "no class 'odd'"),
        ({"amounts": (0,)}, "multiples above 0"),
        ({"amounts": ("all",)}, "multiples above 0"),
        ({"learners": ("tree",)}, "Learners are"),
        ({"num_seeds": 1}, "2 or more"),
        ({"minority": "common"}, "no row of the class"),
    ):
        with pytest.raises(SettingsError, match=message):
            judged(rare, **settings)
    with pytest.raises(SettingsError, match="needs 10 rows"):
        augmentation_benefit(TRAIN, table(3, 90, 5), rare, **QUICK)
    with pytest.raises(TableError, match="columns"):
        augmentation_benefit(TRAIN, TEST, rare.drop(columns="x"), **QUICK)


def test_order_changes_no_digit_and_the_metric_tells_the_same():
    synthetic = rows_of("rare", 60, 40)
    quick = {"learners": ("linear",), "num_seeds": 2, "amounts": (1.0,)}
    straight = judged(synthetic, **quick)
    turned = [t.sample(frac=1, random_state=3)[t.columns[::-1]] for t in (TRAIN, TEST, synthetic)]
    assert augmentation_benefit(*turned, target="c", **quick) == straight
    frames = {"train": TRAIN, "synthetic": synthetic, "holdout": TEST}
    tables = encode(frames, plan_columns(TRAIN))
    found = RareClassBenefit(**quick).compute(Comparison(**tables, target="c"))
    assert found.figures[0].value == straight.difference
    assert found.notes[0] == straight.words
    poor = RareClassBenefit(minority="odd").compute(Comparison(**tables, target="c"))
    assert "left out" in poor.notes[0]
