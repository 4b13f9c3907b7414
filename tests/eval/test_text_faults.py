"""Faults planted in real texts, each found by its own headline, and real texts that raise none."""

import numpy as np
import pandas as pd
import pytest
from llmsynth_eval.text import measure_text
from llmsynth_eval.text.words import words_of

from llmsynth import demo_tables

TEXT, LABEL = "section_text", "section_header"
HEADLINES = ("text_form", "text_copies", "text_near_copies", "text_content")
FAULTS = {
    "copies": "text_copies",
    "near": "text_near_copies",
    "labels": "text_content",
    "shuffled": "text_content",
    "cut": "text_form",
    "repeated": "text_form",
}
LONG = 12


@pytest.fixture(scope="module")
def rows():
    return demo_tables.load("mts_dialog").to_pandas()


@pytest.fixture(scope="module")
def distinct(rows):
    """Every long text once: a table that repeats its own rows hides a copy among them."""
    words = rows[TEXT].map(words_of)
    repeated = words.map(" ".join).duplicated() & (words.map(len) >= 6)
    return rows[~repeated].reset_index(drop=True)


def thirds(table, seed):
    order = np.random.default_rng(seed).permutation(len(table))
    size = len(table) // 3
    return [table.iloc[order[i * size : (i + 1) * size]].reset_index(drop=True) for i in range(3)]


def planted(fault, train, synthetic, rng):
    """One of the faults in a copy of fresh real rows; copies take the place of 1% of them."""
    out = synthetic.copy()
    if fault in ("copies", "near"):
        long = np.flatnonzero(train[TEXT].map(lambda text: len(words_of(text)) >= LONG))
        sources = rng.choice(long, round(0.01 * len(out)), replace=False)
        places = rng.choice(len(out), len(sources), replace=False)
        out.loc[places] = train.loc[sources].to_numpy()
        if fault == "near":
            out.loc[places, TEXT] = [two_words_changed(text, rng) for text in out.loc[places, TEXT]]
    elif fault == "labels":
        for place in rng.choice(len(out), round(0.1 * len(out)), replace=False):
            others = synthetic[LABEL][synthetic[LABEL] != out.loc[place, LABEL]]
            out.loc[place, LABEL] = rng.choice(others.to_numpy(object))
    elif fault == "shuffled":
        out[LABEL] = rng.permutation(out[LABEL].to_numpy(object))
    elif fault == "cut":
        out[TEXT] = out[TEXT].str[:80]
    else:
        out.loc[: len(out) // 4 - 1] = out.loc[
            len(out) // 2 : len(out) // 2 + len(out) // 4 - 1
        ].to_numpy()
    return out


def two_words_changed(text, rng):
    words = text.split()
    for place in rng.choice(len(words), 2, replace=False):
        words[place] = rng.choice(["yesterday", "purple", "seldom", "hereafter", "Tuesday"])
    return " ".join(words)


def answers(train, synthetic, holdout, seed=0):
    found = measure_text(train, synthetic, holdout, column=TEXT, label=LABEL, seed=seed)
    assert tuple(headline.name for headline in found.headlines) == HEADLINES
    return {headline.name for headline in found.headlines if headline.answer == "alarm"}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_raises_its_own_headline_and_no_other(distinct, fault):
    train, synthetic, holdout = thirds(distinct, 0)
    wrong = planted(fault, train, synthetic, np.random.default_rng(0))
    assert answers(train, wrong, holdout) == {FAULTS[fault]}


@pytest.mark.parametrize("seed", range(2))
def test_real_rows_raise_no_headline(rows, seed):
    assert answers(*thirds(rows, seed), seed) == set()


@pytest.mark.slow
def test_headlines_alarm_for_forty_real_splits_no_more_often_than_their_level_allows(rows):
    alarms = [answers(*thirds(rows, seed), seed) for seed in range(40)]
    # At a level of 1%, three or more of forty would be seen once in 130 times.
    assert all(sum(name in found for found in alarms) <= 2 for name in HEADLINES)
    assert sum(map(len, alarms)) <= 4


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_in_nearly_every_split(distinct, fault):
    found = []
    for seed in range(10):
        train, synthetic, holdout = thirds(distinct, seed)
        wrong = planted(fault, train, synthetic, np.random.default_rng(seed))
        found.append(answers(train, wrong, holdout, seed))
    assert sum(FAULTS[fault] in alarms for alarms in found) >= 9
    assert sum(len(alarms - {FAULTS[fault]}) for alarms in found) <= 1


def test_a_passage_copied_into_a_new_text_is_a_copy(distinct):
    train, synthetic, holdout = thirds(distinct, 1)
    long = train[TEXT][train[TEXT].map(lambda text: len(words_of(text)) > 40)].iloc[:6]
    around = synthetic[TEXT].map(len).sort_values().index[-6:]
    synthetic.loc[around, TEXT] = [
        f"{text} {passage[:150]} {text}"
        for text, passage in zip(synthetic.loc[around, TEXT], long, strict=True)
    ]
    assert "text_copies" in answers(train, synthetic, holdout)


def test_a_copied_identifier_within_a_text_is_counted(distinct):
    train, synthetic, holdout = thirds(distinct, 2)
    for number, table in enumerate((train, synthetic, holdout)):
        extra = f" Record {'123456789' if number < 2 else '987654321'}."
        table.loc[:3, TEXT] = table.loc[:3, TEXT] + extra
    found = measure_text(train, synthetic, holdout, column=TEXT)
    (table,) = (t for t in found.tables if t.name == "text_personal_strings")
    assert {row[0]: row[1:] for row in table.rows}["long number"] == (1, 1, 0, 1)
    assert "123456789" not in str(found)


def test_a_number_that_the_text_states_is_asked_of_the_text():
    rng = np.random.default_rng(0)

    def table(size, told=True):
        doses = rng.normal(50, 20, size)
        words = np.where(doses > 50, "high", "low") if told else rng.choice(["high", "low"], size)
        days = rng.integers(1, 28, size)
        texts = [f"dose {w} on day {d}" for w, d in zip(words, days, strict=True)]
        return pd.DataFrame({"note": texts, "dose": doses})

    train, holdout = table(200), table(200)
    good, bad = (
        measure_text(train, table(200, told), holdout, column="note") for told in (True, False)
    )
    assert {h.name: h.answer for h in good.headlines}["text_content"] == "good"
    assert {h.name: h.answer for h in bad.headlines}["text_content"] == "alarm"
