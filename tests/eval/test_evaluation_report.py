"""The report as an object and as JSON: complete, described, the same for the same rows."""

import json
import re
from importlib.resources import files

import jsonschema
import numpy as np
import pandas as pd
import pytest
from llmsynth_eval import Report, evaluate
from llmsynth_eval.canonical import row_hashes, row_order
from llmsynth_eval.coded_table import encode
from llmsynth_eval.definitions import all_definitions
from llmsynth_eval.entrance import Entrance, Question
from llmsynth_eval.input_tables import plan_columns
from llmsynth_eval.report import json_schema
from llmsynth_eval.suite import metrics_of

from llmsynth.errors import InputError

SCHEMA = files("llmsynth_eval").joinpath("report.schema.json")


def test_a_report_survives_json_to_the_last_digit(report):
    text = report.to_json()
    again = Report.from_json(text)
    assert again == report
    assert again.to_json() == text


def test_the_published_schema_is_that_of_the_code_and_describes_a_report(report):
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert schema == json_schema()
    validator = jsonschema.Draft202012Validator(schema)
    data = json.loads(report.to_json())
    assert list(validator.iter_errors(data)) == []
    del data["evaluations"][0]["results"]
    assert len(list(validator.iter_errors(data))) > 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no", "not JSON"),
        ("[]", "format"),
        ('{"format": "llmsynth-judgement-1"}', "llmsynth-judgement-1"),
        ('{"format": "llmsynth-evaluation-1"}', "not a report"),
    ],
)
def test_what_is_no_report_is_refused(text, words):
    with pytest.raises(InputError, match=words):
        Report.from_json(text)


def test_row_and_column_order_do_not_matter(report, three):
    train, holdout, synthetic = (
        table.sample(frac=1, random_state=seed)[table.columns[::-1]]
        for seed, table in enumerate(three)
    )
    asked = {"target": "member", "topics": ("fidelity", "privacy"), "seed": 1}
    first = evaluate(*three[:2], three[2], **asked)
    second = evaluate(train, holdout, synthetic, **asked)
    assert without_row_numbers(first) == without_row_numbers(second)
    assert first.evaluations[0].results == report.evaluation("fresh").results


@pytest.mark.slow
def test_with_keys_texts_and_every_topic_order_does_not_matter_either(three):
    words = ["sore throat", "cough at night", "no fever", "left knee hurts", "sleeps badly"]
    tables = []
    for seed, table in enumerate(three):
        rng = np.random.default_rng(seed)
        notes = [" and ".join(rng.choice(words, 4)) + f" for {n} days" for n in range(len(table))]
        tables.append(table.assign(key=[f"{seed}{n:05d}x" for n in range(len(table))], note=notes))
    moved = [table.sample(frac=1, random_state=5)[table.columns[::-1]] for table in tables]
    first, second = (
        evaluate(*given, target="member", group="<b>town</b>") for given in (tables, moved)
    )
    assert {c.name: c.kind for c in first.columns}["note"] == "text"
    assert without_row_numbers(first) == without_row_numbers(second)


def without_row_numbers(report):
    """The report's JSON, less the numbers under which the caller finds the worst rows."""
    return re.sub(r"(train|holdout|synthetic) row \d+", "a row", report.to_json())


def test_worst_rows_are_named_by_their_place_in_the_given_table(three):
    train, holdout, synthetic = three
    copied = pd.concat([synthetic, train.iloc[[17]]])
    result = evaluate(train, holdout, copied, topics=("privacy",)).evaluations[0]
    listed = [row[0] for r in result.results for t in r.measurement.tables for row in t.rows]
    assert "train row 18" in listed
    moved = evaluate(train.iloc[::-1], holdout, copied, topics=("privacy",)).evaluations[0]
    listed = [row[0] for r in moved.results for t in r.measurement.tables for row in t.rows]
    assert f"train row {len(train) - 17}" in listed


def test_a_report_explains_every_metric_that_it_used(report):
    explained = [definition.metric for definition in report.definitions]
    assert sorted(set(explained)) == sorted(explained)
    assert {r.metric for e in report.evaluations for r in e.results} == set(explained)


def test_every_metric_of_the_suite_has_a_definition(three):
    train, holdout, synthetic = three
    entered = Entrance(train, holdout, Question(target="member")).enter(synthetic, name="s")
    names = {metric.name for metrics in metrics_of(entered).values() for metric in metrics}
    assert names <= set(all_definitions())


def test_no_figure_is_measured_twice_under_one_name(report):
    for evaluation in report.evaluations:
        names = [f.name for r in evaluation.results for f in r.measurement.figures]
        assert len(set(names)) == len(names)


def test_a_synthetic_table_is_found_by_its_name(report):
    assert report.evaluation("copied").num_rows == 200
    assert report.evaluation("copied").figures["copies"].value == 0.5
    with pytest.raises(InputError, match="'copied', 'fresh'"):
        report.evaluation("other")


def test_rows_are_ordered_by_what_they_hold(three):
    train = three[0]
    frames = {"train": train, "other": train.iloc[::-1].reset_index(drop=True)}
    plan = plan_columns(train)
    tables = encode(frames, plan)
    orders = {role: row_order(row_hashes(table)) for role, table in tables.items()}
    sides = [tables[role].take(order) for role, order in orders.items()]
    np.testing.assert_array_equal(sides[0].cells, sides[1].cells)
    np.testing.assert_array_equal(sides[0].places, 199 - sides[1].places)


def test_the_hash_of_a_row_does_not_depend_on_the_other_tables(three):
    train, holdout, _ = three
    plan = plan_columns(train)
    alone = encode({"train": train}, plan)["train"]
    beside = encode({"train": holdout, "other": train}, plan)["other"]
    np.testing.assert_array_equal(row_hashes(alone), row_hashes(beside))
