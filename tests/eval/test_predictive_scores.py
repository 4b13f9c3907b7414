"""Scores under weights, learners, TOST and the metric that shows them, by hand-worked values."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmsynth_eval.coded_table import encode
from llmsynth_eval.input_tables import plan_columns
from llmsynth_eval.metric import Comparison
from llmsynth_eval.utility import row_scores
from llmsynth_eval.utility.equivalence import Spread, equivalence
from llmsynth_eval.utility.exam import calibration_error
from llmsynth_eval.utility.learners import LEARNERS, fit
from llmsynth_eval.utility.predictive import Predictive
from llmsynth_eval.utility.task import Task
from sklearn.metrics import average_precision_score, r2_score, roc_auc_score

from llmsynth.errors import SettingsError

ONES = np.ones((1, 4))
TRUTH = np.array([True, False, True, False])


def linked(rows, seed, classes=2):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    x[::17] = np.nan
    score = np.nan_to_num(x) + 0.5 * rng.normal(size=rows)
    label = np.array(["a", "b", "c"])[np.digitize(score, [0.5, 1.2][: classes - 1])]
    colour = np.where(rng.random(rows) < 0.2, None, np.where(score > 0, "green", "blue"))
    return pd.DataFrame({"x": x, "colour": colour, "label": label, "y": 3 * score})


def measured(train, synthetic, holdout, target="label", **settings):
    frames = {"train": train, "synthetic": synthetic, "holdout": holdout}
    tables = encode(frames, plan_columns(train))
    return Predictive(**settings).compute(Comparison(**tables, target=target))


def without(column, *tables):
    return [table.drop(columns=column) for table in tables]


TRAIN, FRESH, HOLDOUT = without("y", *(linked(360, n) for n in range(3)))
QUICK = {"learners": ("linear", "boosting"), "num_seeds": 2}


def test_scores_by_hand():
    scores = np.array([0.9, 0.8, 0.7, 0.1])
    assert row_scores.auroc(TRUTH, scores, ONES) == pytest.approx([3 / 4])
    assert row_scores.average_precision(TRUTH, scores, ONES) == pytest.approx([(1 + 2 / 3) / 2])
    assert row_scores.auroc(TRUTH, np.zeros(4), ONES) == pytest.approx([0.5])
    called = np.array([True, True, False, False])
    assert row_scores.f1(TRUTH, called, ONES) == pytest.approx([0.5])
    truth, probabilities = np.array([0, 1]), np.array([[0.9, 0.1], [0.4, 0.6]])
    expected = (0.1**2 + 0.4**2) / 2
    assert row_scores.brier(truth, probabilities, np.ones((1, 2))) == pytest.approx([expected])
    values, predicted = np.array([1.0, 2, 3]), np.array([1.0, 2, 5])
    assert row_scores.r2(values, predicted, np.ones((1, 3))) == pytest.approx([1 - 4 / 2])
    assert row_scores.rmse(values, predicted, np.ones((1, 3))) == pytest.approx([(4 / 3) ** 0.5])


def test_a_weight_of_two_is_the_row_twice_and_no_row_of_a_class_is_no_number():
    scores, weights = np.array([0.9, 0.8, 0.7, 0.1]), np.array([[1.0, 2, 1, 0]])
    twice = [0, 1, 1, 2]
    expected = roc_auc_score(TRUTH[twice], scores[twice])
    assert row_scores.auroc(TRUTH, scores, weights) == pytest.approx([expected])
    assert np.isnan(row_scores.auroc(TRUTH, scores, np.array([[1.0, 0, 1, 0]])))[0]
    assert np.isnan(row_scores.f1(TRUTH, TRUTH, np.array([[0.0, 1, 0, 1]])))[0]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=4, max_size=30))
def test_scores_agree_with_scikit_learn(rows):
    truth = np.array([True, False, *(label for label, _ in rows)])
    scores = np.array([1, 1, *(score for _, score in rows)], dtype=float)
    ones = np.ones((1, len(truth)))
    assert row_scores.auroc(truth, scores, ones)[0] == pytest.approx(roc_auc_score(truth, scores))
    expected = average_precision_score(truth, scores)
    assert row_scores.average_precision(truth, scores, ones)[0] == pytest.approx(expected)
    numbers = truth.astype(float)
    assert row_scores.r2(numbers, scores, ones)[0] == pytest.approx(r2_score(numbers, scores))


def test_calibration_error_is_the_gap_in_a_bin():
    truth = np.tile([0, 1, 1, 1], 25)
    stated = np.tile([[0.5, 0.5]], (100, 1))
    assert calibration_error(truth, stated, np.ones((1, 100)))[0] == pytest.approx(0.25, abs=0.03)
    certain = np.eye(2)[truth]
    assert calibration_error(truth, certain, np.ones((1, 100))) == pytest.approx([0])


@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_learns_classes_and_numbers_with_missing_cells(name):
    tables = [linked(400, n, classes=3) for n in range(2)]
    coded = encode({"train": tables[0], "holdout": tables[1]}, plan_columns(tables[0]))
    columns, train, holdout = coded["train"].columns, coded["train"].cells, coded["holdout"].cells
    labels = np.unique(train[:, 2])
    task = Task(features=train[:, :2], target=train[:, 2])
    found = fit(name, columns[:2], task, labels=labels, seed=0).predict(holdout[:, :2])
    assert found.sum(axis=1) == pytest.approx(np.ones(400))
    assert np.mean(labels[found.argmax(axis=1)] == holdout[:, 2]) > 0.7
    task = Task(features=train[:, :2], target=train[:, 3])
    numbers = fit(name, columns[:2], task, labels=None, seed=0).predict(holdout[:, :2])
    assert r2_score(holdout[:, 3], numbers) > 0.6


def test_a_learner_without_classes_or_values_answers_with_the_shares():
    coded = encode({"train": TRAIN}, plan_columns(TRAIN))["train"]
    one = Task(features=coded.cells[:, :2], target=np.zeros(360))
    asked = coded.cells[:3, :2]
    model = fit("linear", coded.columns[:2], one, labels=np.array([0.0, 1.0]), seed=0)
    assert model.predict(asked).tolist() == [[1, 0]] * 3
    empty = Task(features=np.empty((0, 2)), target=np.empty(0))
    model = fit("forest", coded.columns[:2], empty, labels=np.array([0.0, 1.0]), seed=0)
    assert model.predict(asked).tolist() == [[0.5, 0.5]] * 3


def test_tost_by_hand():
    """With known variance .01^2 the 90% half width is 1.645 * .01."""
    spread = [Spread(variance=0.01**2, degrees=1e9)]
    found = equivalence(0.01, spread, margin=0.03)
    assert found.interval == pytest.approx((0.01 - 0.01645, 0.01 + 0.01645), abs=1e-4)
    assert found.p_value == pytest.approx(0.02275, abs=1e-4)
    assert found.verdict == "equivalent"
    assert equivalence(0.02, spread, margin=0.03).verdict == "not shown"
    assert equivalence(-0.05, spread, margin=0.03).verdict == "worse"
    assert equivalence(0.05, spread, margin=0.03).verdict == "better"
    assert equivalence(0.0, spread, margin=0.0).verdict == "not shown"
    assert "as well as" in found.words("AUROC")


def test_tost_without_any_spread_compares_the_numbers():
    assert equivalence(0.0, [], margin=0.03).p_value == 0
    assert equivalence(-0.04, [], margin=0.03).verdict == "worse"


@pytest.mark.parametrize("margin", [-0.01, 1.01, float("nan")])
def test_a_margin_must_lie_between_0_and_1(margin):
    with pytest.raises(SettingsError, match="between 0 and 1"):
        Predictive(margin=margin)


def test_fresh_rows_score_as_train_does_and_shuffled_labels_do_not():
    good = {f.name: f for f in measured(TRAIN, FRESH, HOLDOUT, **QUICK).figures}
    assert good["tstr_auroc_linear"].value == pytest.approx(
        good["tstr_auroc_linear"].floor, abs=0.03
    )
    assert good["both_auroc_boosting"].value > 0.85
    labels = np.random.default_rng(0).permutation(FRESH.label.to_numpy(object))
    found = measured(TRAIN, FRESH.assign(label=labels), HOLDOUT, **QUICK)
    bad = {f.name: f for f in found.figures}
    assert bad["tstr_auroc_linear"].interval[1] < bad["tstr_auroc_linear"].floor
    verdicts = {r[0]: r[-1] for t in found.tables if t.name == "equivalence" for r in t.rows}
    assert verdicts["logistic regression / ridge, AUROC"] in ("worse", "not shown")
    assert any("synthetic rows" in note for note in found.notes)


def test_tables_and_curves_stand_behind_the_figures():
    found = measured(TRAIN, FRESH, HOLDOUT, **QUICK)
    tables = {t.name: t for t in found.tables}
    assert {r[:2] for r in tables["class_f1"].rows} == {
        (c, t) for c in "ab" for t in ("logistic regression / ridge", "boosted trees")
    }
    assert len(tables["predictive_scores"].rows) == 2 * 3 * 5
    calibration, roc = found.curves
    assert [line.name for line in calibration.lines] == ["perfect", "TSTR", "TRTR", "train on both"]
    assert all(0 <= y <= 1 for line in roc.lines for y in line.y)


def test_a_number_gets_r2_and_rmse_and_a_class_may_be_missing():
    tables = without("label", *(linked(300, n) for n in range(3)))
    found = measured(*tables, target="y", learners=("linear",))
    assert {f.name for f in found.figures} == {"tstr_r2_linear", "both_r2_linear"}
    assert found.curves == ()
    three = without("y", *(linked(300, n, classes=3) for n in range(3)))
    lost = measured(three[0], three[1][three[1].label != "c"], three[2], learners=("linear",))
    assert any("fewer than two rows of c" in note for note in lost.notes)


def test_row_and_column_order_change_no_digit():
    turned = [t.sample(frac=1, random_state=9)[t.columns[::-1]] for t in (TRAIN, FRESH, HOLDOUT)]
    assert measured(*turned, **QUICK) == measured(TRAIN, FRESH, HOLDOUT, **QUICK)


def test_nothing_is_measured_without_a_target_or_rows():
    assert measured(TRAIN, FRESH, HOLDOUT, target=None).figures == ()
    found = measured(TRAIN, FRESH.assign(label=None), HOLDOUT)
    assert found.figures == ()
    assert "left out" in found.notes[0]
