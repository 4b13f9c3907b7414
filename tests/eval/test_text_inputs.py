"""What a text column may look like: order, missing cells, odd texts, and input that is refused."""

import re

import numpy as np
import pandas as pd
import pytest
from llmsynth_eval.text import HashedWords, TextComparison, measure_text

from llmsynth.errors import SettingsError, TableError

WORDS = np.array(
    re.findall("[a-z]+", "the a pain was is in of knee head no known mild very old day")
)


def notes(rows, seed):
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(WORDS, rng.integers(1, 25))).capitalize() for _ in range(rows)]
    kinds = np.where([("knee" in text) for text in texts], "leg", "other")
    return pd.DataFrame({"note": texts, "kind": kinds, "age": rng.integers(20, 90, rows)})


TRAIN, SYNTHETIC, HOLDOUT = (notes(60, seed) for seed in (1, 2, 3))


def measured(train=TRAIN, synthetic=SYNTHETIC, holdout=HOLDOUT, **settings):
    return measure_text(train, synthetic, holdout, column="note", **settings)


def test_neither_row_order_nor_column_order_changes_a_digit():
    first = measured(label="kind", seed=4)
    mixed = [
        table.sample(frac=1, random_state=number)[["age", "note", "kind"]]
        for number, table in enumerate((TRAIN, SYNTHETIC, HOLDOUT))
    ]
    assert measured(*mixed, label="kind", seed=4) == first


def test_every_figure_has_a_number_an_interval_and_a_floor_or_a_note():
    found = measured(label="kind")
    for figure in found.figures:
        if figure.value is None:
            assert any("personal string" in note for note in found.notes)
        else:
            assert np.isfinite(figure.value)
            assert figure.floor is not None
            assert figure.interval is not None
            assert figure.interval[0] <= figure.interval[1]
    assert len({figure.name for figure in found.figures}) == len(found.figures)


def test_rows_without_text_are_left_out_and_counted_in_a_note():
    holed = SYNTHETIC.assign(note=SYNTHETIC["note"].where(SYNTHETIC.index > 9))
    assert "10 of 60 synthetic rows have no text; left out." in measured(synthetic=holed).notes


def test_a_sample_is_said_to_be_one():
    found = measured(max_texts=40, seed=5)
    assert any("Of 60 train texts 40 are measured, drawn by seed 5" in note for note in found.notes)


def test_without_other_columns_content_is_not_measured():
    tables = [table[["note"]] for table in (TRAIN, SYNTHETIC, HOLDOUT)]
    answers = {h.name: h.answer for h in measured(*tables).headlines}
    assert answers["text_content"] == "not measured"
    assert answers["text_form"] == "good"


@pytest.mark.parametrize(
    "texts", [["x"], ["", "!"], ["a b", "a b", "a b"], ["ä\n\U0001f600 \x00"] * 4]
)
def test_odd_texts_are_measured(texts):
    odd = pd.DataFrame({"note": texts, "kind": ["leg", "other", "leg", "other"][: len(texts)]})
    found = measured(synthetic=odd)
    assert all(figure.value is None or np.isfinite(figure.value) for figure in found.figures)
    assert measured(train=odd, synthetic=TRAIN).headlines


@pytest.mark.parametrize(
    ("tables", "settings", "error", "words"),
    [
        ({"synthetic": SYNTHETIC.drop(columns="note")}, {}, TableError, "synthetic table has no"),
        ({"holdout": HOLDOUT.assign(note=None)}, {}, TableError, "holdout table holds no text"),
        ({"train": TRAIN.iloc[:0]}, {}, TableError, "train table holds no text"),
        ({"holdout": TRAIN.iloc[::-1]}, {}, TableError, "the same rows"),
        ({}, {"label": "absent"}, TableError, "has no column 'absent'"),
        ({}, {"label": "note"}, SettingsError, "another column than the text"),
        ({}, {"max_texts": 0}, SettingsError, "max_texts"),
        ({"train": TRAIN.assign(kind="leg")}, {"label": "kind"}, TableError, "two to 50 classes"),
    ],
)
def test_what_cannot_be_measured_is_refused_by_name(tables, settings, error, words):
    with pytest.raises(error, match=words):
        measured(**tables, **settings)


def test_a_column_that_one_table_lacks_is_not_asked_of_the_text():
    comparison = TextComparison(
        train=TRAIN, synthetic=SYNTHETIC.drop(columns="age"), holdout=HOLDOUT, column="note"
    )
    assert comparison.other_columns == ("kind",)


def test_the_embedder_is_named_in_a_note():
    assert any(HashedWords.name in note for note in measured().notes)
