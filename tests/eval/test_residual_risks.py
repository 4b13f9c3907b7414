"""Singling out, linkability, attribute inference, and k-anonymity, by hand and on copies."""

import numpy as np
import pandas as pd
import pytest
from llmsynth_eval.coded_table import encode
from llmsynth_eval.input_tables import plan_columns
from llmsynth_eval.intervals import wilson
from llmsynth_eval.metric import Comparison
from llmsynth_eval.privacy import Anonymity, AttributeInference, Linkability, SinglingOut
from llmsynth_eval.privacy.attribute_inference import is_right
from llmsynth_eval.privacy.residual_risk import risk_of_counts, risk_of_rows
from llmsynth_eval.privacy.singling_out import Condition, num_fitting

from llmsynth.errors import SettingsError

RISKS = (SinglingOut(), Linkability(), AttributeInference())


def compared(train, synthetic, holdout, seed=0):
    frames = {"train": train, "synthetic": synthetic, "holdout": holdout}
    return Comparison(**encode(frames, plan_columns(train)), seed=seed)


def people(rows, seed):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 90, rows) * 1.0,
            "town": rng.choice(list("abcdefgh"), rows),
            "pay": np.round(rng.normal(3000, 800, rows)),
            "debt": np.where(rng.random(rows) < 0.2, np.nan, np.round(rng.normal(0, 99, rows))),
            "sick": rng.choice(["yes", "no"], rows),
            "job": rng.choice(list("uvwxyz"), rows),
        }
    )


def by_name(measurement):
    return {figure.name: figure for figure in measurement.figures}


def test_residual_risk_by_hand():
    risk = risk_of_counts(60, 20, 100)
    assert risk.value == pytest.approx((0.6 - 0.2) / 0.8)
    errors = [(high - low) / 2 for low, high in (wilson(60, 100), wilson(20, 100))]
    half = np.hypot(errors[0] / 0.8, errors[1] * 0.4 / 0.8**2)
    assert risk.interval == pytest.approx((0.5 - half, 0.5 + half))


def test_risk_is_undefined_where_the_control_always_succeeds():
    risk = risk_of_rows(np.ones(9), np.ones(9))
    assert risk.value is None
    assert risk.interval is None


def test_guesses_of_negative_numbers_zeros_and_missing_cells():
    truth = np.array([-100.0, -100.0, 0.0, 0.0, np.nan, 100.0, 100.0])
    guesses = np.array([-104.0, 100.0, 0.0, 0.1, np.nan, np.nan, 105.1])
    right = is_right(guesses, truth, is_numeric=True)
    assert right.tolist() == [True, False, True, False, True, False, False]


def test_conditions_fit_by_hand():
    columns = np.array([[1.0, 2.0, 3.0, np.nan], [0.0, 1.0, 1.0, 1.0]])
    above = Condition(column=0, comparator="at least", value=2.0)
    equal = Condition(column=1, comparator="equal", value=1.0)
    gone = Condition(column=0, comparator="equal", value=float("nan"))
    assert num_fitting((above,), columns) == 2
    assert num_fitting((above, equal), columns) == 2
    assert num_fitting((gone, equal), columns) == 1
    assert num_fitting((Condition(column=0, comparator="at most", value=1.0),), columns) == 1


@pytest.mark.parametrize("metric", RISKS, ids=lambda metric: metric.name)
def test_copied_tables_are_risky_and_fresh_ones_are_not(metric):
    train, fresh, holdout = (people(1_000, seed) for seed in range(3))
    risky = by_name(metric.compute(compared(train, train, holdout)))
    clean = by_name(metric.compute(compared(train, fresh, holdout)))
    name = "singling_out[5 conditions]" if metric.name == "singling_out" else metric.name
    assert risky[name].interval[0] > 0.5
    low, high = clean[name].interval
    assert low - 0.02 < 0 < high + 0.02


@pytest.mark.parametrize("metric", RISKS, ids=lambda metric: metric.name)
def test_order_of_rows_and_columns_does_not_matter(metric):
    tables = [people(400, seed) for seed in range(3)]
    turned = [t.sample(frac=1, random_state=1)[t.columns[::-1]] for t in tables]
    turned = [t.reset_index(drop=True) for t in turned]
    ways = [metric.compute(compared(*t)) for t in (tables, turned)]
    assert ways[0] == ways[1]


@pytest.mark.parametrize("metric", RISKS, ids=lambda metric: metric.name)
def test_few_rows_are_told(metric):
    found = metric.compute(compared(people(5, 0), people(5, 1), people(5, 2)))
    assert not found.figures
    assert "20 rows" in found.notes[0]


def test_inference_lists_the_worst_secret_first():
    train, fresh, holdout = (people(600, seed) for seed in range(3))
    leaky = train.assign(sick=fresh["sick"])
    found = AttributeInference(secrets=("job", "sick")).compute(compared(train, leaky, holdout))
    assert [row[0] for row in found.tables[0].rows] == ["job", "sick"]
    assert found.tables[0].rows[0][3] > 0.3


def test_unusable_columns_are_refused():
    tables = compared(*(people(50, seed) for seed in range(3)))
    with pytest.raises(SettingsError, match="'wage'"):
        AttributeInference(secrets=("wage",)).compute(tables)
    with pytest.raises(SettingsError, match="in both: \\['age'\\]"):
        Linkability(first=("age",), second=("age", "pay")).compute(tables)
    with pytest.raises(SettingsError, match="'wage'"):
        Anonymity(quasi_identifiers=("wage",)).compute(tables)
    with pytest.raises(SettingsError, match="none"):
        Anonymity(quasi_identifiers=())
    with pytest.raises(SettingsError, match="secret and known"):
        Anonymity(quasi_identifiers=("age",), sensitive="age")


def test_anonymity_by_hand():
    table = pd.DataFrame(
        {"age": [30.0, 30.0, 30.0, 40.0, 40.0], "town": list("aaabb"), "ill": list("xyxzz")}
    )
    other = pd.DataFrame({"age": [1.0, 2.0], "town": ["a", "a"], "ill": ["x", "x"]})
    metric = Anonymity(quasi_identifiers=("age", "town"), sensitive="ill")
    found = metric.compute(compared(table, table, other))
    values = {name: figure.value for name, figure in by_name(found).items()}
    assert values == {"k_anonymity": 2.0, "rows_in_small_groups": 1.0, "l_diversity": 1.0}
    assert by_name(found)["k_anonymity"].floor == 1.0
    # groups of 3 with the secrets x, y and of 2 with the secret z
    assert found.tables[0].rows[0] == ("synthetic", 5, 2, 2, 0, 1)
