"""C2ST, TSTR and TRTR: planted faults, tables without a class, and exact small scores."""

import numpy as np
import pandas as pd
import pytest
from llmsynth_eval.coded_table import encode
from llmsynth_eval.fidelity.c2st import two_sample_auc
from llmsynth_eval.input_tables import plan_columns
from llmsynth_eval.metric import Comparison
from llmsynth_eval.runner import judge
from llmsynth_eval.utility.label_scores import auprc, macro_auc
from llmsynth_eval.utility.tstr import Tstr


def linked(rows, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    label = np.where(x + 0.5 * rng.normal(size=rows) > 1, "yes", "no")
    colour = np.where(rng.random(rows) < 0.2, "red", np.where(x > 0, "green", "blue"))
    return pd.DataFrame({"x": x, "colour": colour, "label": label})


TRAIN, HOLDOUT = linked(400, 1), linked(400, 2)


def taught(train, synthetic, holdout, target="label", floor=False):
    frames = {"train": train, "synthetic": synthetic, "holdout": holdout}
    tables = encode(frames, plan_columns(train))
    measured = Tstr().compute(Comparison(**tables, target=target, with_floor=floor))
    return {figure.name: figure for figure in measured.figures}, measured.notes


def test_fresh_rows_stay_at_the_floor():
    judgement = judge(TRAIN, linked(400, 3), HOLDOUT, target="label")
    assert judgement.values["c2st"] == pytest.approx(0.5, abs=0.07)
    assert judgement.values["tstr_auc"] == pytest.approx(judgement.floors["tstr_auc"], abs=0.04)
    assert judgement.values["trtr_auc"] == judgement.floors["tstr_auc"]


def test_shuffled_columns_raise_trend_and_c2st_but_not_shape():
    shuffled = pd.DataFrame(
        {c: TRAIN[c].sample(frac=1, random_state=n).to_numpy() for n, c in enumerate(TRAIN)}
    )
    judgement = judge(TRAIN, shuffled, HOLDOUT, target="label")
    assert judgement.values["shape"] == 0
    assert judgement.values["trend"] > 2 * judgement.floors["trend"]
    assert judgement.intervals["c2st"][0] > judgement.floors["c2st"]
    assert judgement.intervals["tstr_auc"][1] < judgement.floors["tstr_auc"]
    assert "predicts worse than by real" in judgement.verdict()


def test_a_copy_of_train_is_warned_of_as_over_fitting():
    judgement = judge(TRAIN, TRAIN, HOLDOUT)
    assert judgement.values["c2st"] < 0.5
    assert judgement.values["dcr_share"] == 1
    assert judgement.verdict().count("well below the floor points to over-fitting") >= 2


def test_rows_without_any_value_cannot_be_told_apart():
    empty = pd.DataFrame({"x": [np.nan] * 9})
    table = encode({"train": empty}, plan_columns(empty))["train"]
    assert two_sample_auc(table, table, seed=0)[0] == 0.5


def test_a_synthetic_table_with_one_class_scores_half_and_it_is_said():
    figures, notes = taught(TRAIN, TRAIN.assign(label="no"), HOLDOUT)
    assert figures["tstr_auc"].value == 0.5
    assert figures["tstr_auprc"].value == pytest.approx((HOLDOUT["label"] == "yes").mean())
    assert any(note.startswith("TSTR: there is one class") for note in notes)


def test_classes_that_synthetic_lacks_count_half_in_the_macro_auc():
    three = [
        t.assign(label=np.select([t.x < 0, t.x < 1], ["a", "b"], "c")) for t in (TRAIN, HOLDOUT)
    ]
    figures, notes = taught(three[0], three[0][three[0].label != "c"], three[1])
    assert figures["trtr_auc"].value > 0.98
    assert figures["tstr_auc"].value == pytest.approx((0.99 + 0.8 + 0.5) / 3, abs=0.1)
    assert "tstr_auprc" not in figures
    assert any("1 of 3 classes" in note for note in notes)


def test_a_class_that_only_synthetic_has_is_harmless():
    figures, _ = taught(TRAIN, pd.concat([TRAIN, TRAIN.head(30).assign(label="new")]), HOLDOUT)
    assert figures["tstr_auc"].value > 0.85


def test_a_number_is_judged_by_r2_and_two_values_as_a_label():
    tables = [t.assign(y=3 * t.x, flag=(t.label == "yes").astype(int)) for t in (TRAIN, HOLDOUT)]
    by_number, _ = taught(tables[0], tables[0], tables[1], target="y")
    assert by_number["tstr_r2"].value > 0.97
    assert "tstr_auc" not in by_number
    assert taught(tables[0], tables[0], tables[1], target="flag")[0]["tstr_auc"].value > 0.9


def test_a_number_without_values_to_learn_from_has_no_explained_variance():
    gone = TRAIN.assign(x=np.nan)
    figures, notes = taught(TRAIN, gone, HOLDOUT, target="x")
    assert figures["tstr_r2"].value == pytest.approx(0, abs=0.05)
    assert any("train mean is predicted" in note for note in notes)


def test_rows_without_a_target_are_passed_over():
    train = TRAIN.assign(label=TRAIN.label.where(TRAIN.index % 3 > 0, None))
    assert taught(train, train, HOLDOUT)[0]["trtr_auc"].value > 0.85


def test_more_than_255_categories_are_accepted():
    rng = np.random.default_rng(0)
    train, holdout = (
        linked(400, n).assign(code=rng.integers(0, 390, 400).astype(str)) for n in range(2)
    )
    assert taught(train, train, holdout)[0]["tstr_auc"].value > 0.85


def test_scarce_classes_and_columns_of_a_large_table_do_not_stop_the_learner():
    large = pd.concat([linked(10_500, 5), TRAIN.head(1).assign(label="never")])
    large = large.assign(scarce=[1.0, *[np.nan] * 10_500])
    figures, _ = taught(large, large, HOLDOUT.assign(scarce=2.0))
    assert figures["trtr_auc"].value > 0.85


def test_macro_auc_is_the_mean_over_classes():
    truth = np.array([0.0, 0.0, 1.0, 1.0])
    scores = np.array([[0.9, 0.5], [0.8, 0.5], [0.2, 0.5], [0.1, 0.5]])
    assert macro_auc(truth, np.array([0.0, 1.0]), scores, seed=0)[0] == pytest.approx(0.75)


def test_auprc_is_the_mean_precision_at_each_positive():
    truth, scores = np.array([1.0, 0.0, 1.0, 0.0]), np.array([0.9, 0.8, 0.7, 0.1])
    assert auprc(truth, 1.0, scores, seed=0)[0] == pytest.approx((1 + 2 / 3) / 2)
