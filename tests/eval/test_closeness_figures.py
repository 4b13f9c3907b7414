"""DCR share, NNDR and membership inference on points placed by hand and on copied tables."""

import numpy as np
import pandas as pd
import pytest
from llmsynth_eval.coded_table import encode
from llmsynth_eval.input_tables import plan_columns
from llmsynth_eval.metric import Comparison
from llmsynth_eval.privacy import Closeness
from llmsynth_eval.privacy.dcr_share import DcrShare
from llmsynth_eval.privacy.digit_strings import digit_strings, least_edits
from llmsynth_eval.privacy.distances import Budget
from llmsynth_eval.privacy.excess import clopper_pearson
from llmsynth_eval.privacy.membership import attack, threshold_at
from llmsynth_eval.privacy.nearest import Space, nearest_distances
from llmsynth_eval.privacy.neighbours import nearest_neighbours


def compared(train, synthetic, holdout, seed=0):
    frames = {"train": train, "synthetic": synthetic, "holdout": holdout}
    return Comparison(**encode(frames, plan_columns(train)), seed=seed)


def normal(rows, seed, columns=4):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.normal(size=(rows, columns))).rename(columns=str)


def figures(measurement):
    return {figure.name: figure for figure in measurement.figures}


def test_neighbours_agree_with_the_search_for_one_and_come_nearest_first():
    tables = compared(normal(60, 0), normal(50, 1), normal(40, 2))
    space = Space(tables.train)
    rows, references = space.place(tables.synthetic), space.place(tables.train)
    found = nearest_neighbours(rows, references, 3)
    gaps = ((rows.dense[:, None] - references.dense[None]) ** 2).sum(axis=2)
    assert found.distances == pytest.approx(np.sort(gaps, axis=1)[:, :3])
    assert found.distances[:, 0] == pytest.approx(nearest_distances(rows, references))


def test_a_row_is_not_its_own_neighbour():
    table = compared(*(pd.DataFrame({"x": [0.0, 1.0, 3.0]}),) * 3).train
    points = Space(table).place(table)
    found = nearest_neighbours(points, points, 1, itself=np.arange(3)).found[:, 0]
    assert found.tolist() == [1, 0, 1]


def test_share_is_the_one_of_the_quick_judgement():
    rng = np.random.default_rng(0)
    train, synthetic, holdout = (
        pd.DataFrame({"n": rng.integers(0, 9, 300) * 1.0, "c": rng.choice(list("abc"), 300)})
        for _ in range(3)
    )
    comparison = compared(train, synthetic, holdout)
    quick = DcrShare().compute(comparison).figures[0]
    full = figures(Closeness().compute(comparison))["dcr_share"]
    assert full.value == pytest.approx(quick.value, abs=1e-12)
    assert full.interval == pytest.approx(quick.interval)


def test_thresholds_allow_the_stated_share_of_false_positives():
    others = np.arange(1000.0)
    assert threshold_at(others, 0.01) == 989  # ten lie above
    assert threshold_at(others, 0.001) == 998
    assert threshold_at(others[:50], 0.001) == 49  # too few for one: none may lie above


def test_attack_by_hand():
    members, others = np.array([3.0, 2.0, 0.0, 4.0]), np.array([1.0, 2.0, 0.0, -1.0])
    found = attack(members, others, name="a", title="A", meaning="m")
    by_name = figures(found.measurement)
    # 16 pairs: 3 beats 4, 2 beats 3 and ties 1, 0 beats 1 and ties 1, 4 beats 4
    assert by_name["a_auc"].value == pytest.approx((4 + 3.5 + 1.5 + 4) / 16)
    assert by_name["a_tpr_at_1%"].value == 0.5  # 3 and 4 lie above every non-member
    assert by_name["a_tpr_at_1%"].interval == pytest.approx(clopper_pearson(2, 4))
    assert found.measurement.curves[0].lines[0].y[-1] == 1.0


def test_p_value_of_an_attack_is_even_under_chance():
    rng = np.random.default_rng(0)
    p_values = [
        attack(rng.normal(size=200), rng.normal(size=100), name="a", title="A", meaning="m")
        .evidence[0]
        .p_value
        for _ in range(200)
    ]
    assert 0.4 < np.mean(p_values) < 0.6
    assert np.mean(np.array(p_values) < 0.1) < 0.2


def test_digit_strings_and_edits_by_hand():
    table = pd.DataFrame({"a": [120.0, np.nan], "c": ["x", "y"], "b": [0.5, 3.0]})
    coded = compared(table, table, table).train
    assert digit_strings(coded) == ["120,0.5", ",3"]
    # one digit of seven differs; the other string needs five edits of seven
    assert least_edits(["120,0.5"], ["121,0.5", ",3"]) == pytest.approx([1 / 7])


def test_rows_close_to_train_raise_closeness_with_every_measure():
    train, holdout = normal(800, 0), normal(800, 1)
    jittered = train + np.random.default_rng(2).normal(size=train.shape) * 0.05
    found = Closeness().compute(compared(train, jittered, holdout))
    by_name = figures(found)
    assert found.headlines[0].answer == "alarm"
    assert by_name["dcr_share"].interval[0] > 0.8
    assert by_name["dcr_share_outliers"].value > 0.8
    assert by_name["mia_distance_auc"].interval[0] > 0.8
    assert by_name["mia_density_auc"].interval[0] > 0.8
    assert by_name["dcr_tail_ratio"].interval[1] < 0.8
    assert by_name["nndr"].value < by_name["nndr"].floor
    assert by_name["mia_distance_tpr_at_0.1%"].value > 0.1


def test_fresh_rows_raise_nothing_and_surround_the_floor():
    found = Closeness().compute(compared(normal(900, 0), normal(700, 1), normal(500, 2)))
    assert found.headlines[0].answer == "good"
    for name in ("dcr_share", "mia_distance_auc", "mia_density_auc", "mia_digits_auc"):
        low, high = figures(found)[name].interval
        assert low - 0.03 < 0.5 < high + 0.03, name
    assert found.counts["rows in each DCR reference"] == 500


def test_a_copied_outlier_heads_the_list_by_its_row_number():
    train = normal(300, 0)
    train.loc[123] = 9.0
    synthetic = normal(300, 1)
    synthetic.loc[7] = 9.0
    found = Closeness().compute(compared(train, synthetic, normal(300, 2)))
    listing = {table.name: table for table in found.tables}["exposed_rows"]
    assert listing.rows[0][:2] == ("train row 124", 0.0)


def test_a_sample_is_told_with_its_size_and_seed():
    tables = (normal(300, 0), normal(300, 1), normal(300, 2))
    budget = Budget(queries=100, references=90, isolation=50)
    found = Closeness(budget=budget).compute(compared(*tables, seed=5))
    assert "90 of 300 train" in found.notes[0]
    assert "100 of 300 synthetic rows, drawn by seed 5" in found.notes[0]


def test_too_few_rows_are_told():
    table = normal(5, 0)
    found = Closeness().compute(compared(table, table, table))
    assert found.headlines[0].answer == "not measured"
    assert found.figures[0].value is None


def test_tables_of_categories_alone_have_no_digits():
    rng = np.random.default_rng(0)
    tables = [pd.DataFrame({n: rng.choice(list("abcdef"), 200) for n in "xyz"}) for _ in range(3)]
    found = Closeness().compute(compared(*tables))
    assert "mia_digits_auc" not in figures(found)
    assert any("no column is numeric" in note for note in found.notes)
    assert found.headlines[0].answer == "good"


def test_many_coordinates_are_paid_for_with_fewer_rows():
    budget = Budget()
    assert budget.for_coordinates(100) == budget
    wide = budget.for_coordinates(1_000)
    pairs = 4 * wide.queries * wide.references + 3 * wide.references * wide.isolation
    assert 0.99 * budget.products < pairs * 1_000 <= budget.products
    assert wide.queries == wide.references > wide.isolation
