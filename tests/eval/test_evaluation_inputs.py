"""What an evaluation refuses by name, and what it measures as far as it can and says so."""

import numpy as np
import pandas as pd
import pytest
from llmsynth_eval import evaluate

from llmsynth.errors import SchemaError, SettingsError, TableError
from llmsynth.schema.columns import NumberColumn
from llmsynth.schema.table_schema import TableSchema

QUICK = {"topics": ("fidelity", "privacy")}


@pytest.fixture
def given(three):
    train, holdout, synthetic = (table.head(60) for table in three)
    return {"train": train, "holdout": holdout, "synthetic": synthetic}


@pytest.mark.parametrize("role", ["holdout", "synthetic"])
@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda t: t.drop(columns="age"), r"missing: \['age'\]"),
        (lambda t: t.assign(more=1), r"not in train: \['more'\]"),
        (lambda t: t.head(0), "has no rows"),
        (lambda t: t[[]], "has no columns"),
        (lambda t: pd.concat([t, t[["age"]]], axis=1), "two columns called 'age'"),
        (lambda t: t.assign(age="old"), "'age' .* should hold finite numbers; row 1 holds 'old'"),
        (lambda t: t.assign(age=np.inf), "finite numbers"),
        (lambda t: t.to_dict(), "pandas DataFrame or a pyarrow Table"),
    ],
)
def test_a_bad_table_is_refused_by_its_name(given, role, broken, words):
    given[role] = broken(given[role])
    with pytest.raises(TableError, match=words) as caught:
        evaluate(**given, **QUICK)
    assert role in str(caught.value)


def test_the_bad_one_of_several_tables_is_named(given):
    given["synthetic"] = {"good": given["synthetic"], "bad": given["synthetic"].head(0)}
    with pytest.raises(TableError, match="synthetic 'bad' table has no rows"):
        evaluate(**given, **QUICK)


@pytest.mark.parametrize(
    "settings",
    [
        {"target": "income"},
        {"group": "income"},
        {"quasi_identifiers": ["age", "income"]},
        {"numeric": ["income"]},
        {"topics": ["income"]},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_a_name_that_is_not_there_is_refused(given, settings):
    with pytest.raises(SettingsError, match="income"):
        evaluate(**given, **settings)


def test_a_margin_that_is_no_share_is_refused(given):
    with pytest.raises(SettingsError, match="margin"):
        evaluate(**given, margin=2.0)


def test_no_synthetic_table_at_all_is_refused(given):
    with pytest.raises(TableError, match="at least one synthetic table"):
        evaluate(given["train"], given["holdout"], {})


def test_a_schema_of_another_table_is_refused(given):
    schema = TableSchema(columns=(NumberColumn(name="age"),))
    with pytest.raises(SchemaError, match="does not describe"):
        evaluate(**given, schema=schema)


def test_a_holdout_that_is_the_train_table_is_refused_in_any_order(given):
    given["holdout"] = given["train"].iloc[::-1]
    with pytest.raises(TableError, match="holdout holds the same rows as train"):
        evaluate(**given, **QUICK)


def test_a_holdout_that_overlaps_train_is_said(given):
    given["holdout"] = pd.concat([given["holdout"].head(45), given["train"].head(15)])
    notes = evaluate(**given, **QUICK).evaluations[0].notes
    assert any("25% of the holdout rows are equal to a train row" in note for note in notes)


def test_numbers_written_as_texts_are_read_and_said(given):
    given["synthetic"] = given["synthetic"].astype({"age": object})
    given["synthetic"]["age"] = [
        None if pd.isna(age) else str(age) for age in given["synthetic"]["age"]
    ]
    notes = evaluate(**given, **QUICK).evaluations[0].notes
    assert any(note.startswith("Column age is float64 in train and ") for note in notes)


def test_a_column_without_a_value_is_measured_and_said(given):
    given = {role: table.assign(gone=np.nan) for role, table in given.items()}
    report = evaluate(**given, **QUICK)
    assert any("gone has no value" in note for note in report.evaluations[0].notes)
    report.to_json()


def test_without_a_target_the_rest_is_measured(given):
    evaluation = evaluate(**given, topics=("fidelity", "utility")).evaluations[0]
    assert evaluation.figures["ks"].value is not None
    answers = {headline.name: headline.answer for headline in evaluation.headlines}
    assert answers["target"] == "not measured"


@pytest.mark.parametrize("role", ["train", "holdout", "synthetic"])
def test_too_few_rows_to_say_anything_are_refused(given, role):
    given[role] = given[role].head(9)
    with pytest.raises(TableError, match=f"{role} table has 9 rows, .* at least 10"):
        evaluate(**given)


def test_ten_rows_are_measured_as_far_as_they_can_be(given):
    few = {role: table.head(10) for role, table in given.items()}
    report = evaluate(**few, target="member", **QUICK)
    values = report.evaluations[0].figures.values()
    assert not any(figure.value is not None and np.isnan(figure.value) for figure in values)


def test_one_column_and_a_constant_column_are_measured(given):
    one = {role: table[["age"]] for role, table in given.items()}
    assert any("Pairs need two" in n for n in evaluate(**one, **QUICK).evaluations[0].all_notes)
    same = {role: table.assign(same="s") for role, table in given.items()}
    errors = {c.name: c.error for c in evaluate(**same, **QUICK).evaluations[0].columns}
    assert errors["same"] == 0


def test_identifiers_and_texts_are_left_out_of_the_figures_and_said(given):
    keyed = {
        role: table.assign(key=[f"{role[0]}{row:06d}" for row in range(len(table))])
        for role, table in given.items()
    }
    report = evaluate(**keyed, **QUICK)
    kinds = {column.name: column.kind for column in report.columns}
    assert kinds["key"] == "identifier"
    assert any("key" in note for note in report.evaluations[0].notes)
    assert "key" not in {column.name for column in report.evaluations[0].columns}
