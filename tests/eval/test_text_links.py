"""Words, runs, near-copies and the test on links: hand-worked, and against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llmsynth_eval.text.link_test import compare_links, shared_items
from llmsynth_eval.text.near_pairs import near_pairs
from llmsynth_eval.text.ngrams import longest_runs, rank_ngrams
from llmsynth_eval.text.pooled_texts import PooledTexts
from llmsynth_eval.text.words import text_keys, word_sequences, words_of

TEN = "one two three four five six seven eight nine ten"


def pooled(train, synthetic, holdout):
    sizes = [len(train), len(synthetic), len(holdout)]
    return PooledTexts(
        sequences=word_sequences([*train, *synthetic, *holdout]),
        role=np.repeat(np.arange(3), sizes),
    )


def runs_with(texts, reference):
    sequences = word_sequences([*texts, *reference])
    is_reference = sequences.text_numbers >= len(texts)
    found = longest_runs(rank_ngrams(sequences), is_reference)
    return found[~is_reference].tolist()


def brute_runs(texts, reference):
    known = [words_of(text) for text in reference]
    found = []
    for words in map(words_of, texts):
        for start in range(len(words)):
            length = 0
            while start + length < len(words) and any(
                words[start : start + length + 1] == other[place : place + length + 1]
                for other in known
                for place in range(len(other))
            ):
                length += 1
            found.append(length)
    return found


def test_words_have_neither_case_nor_signs():
    assert words_of("No KNOWN drug-allergies, 5mg.") == ["no", "known", "drug", "allergies", "5mg"]


def test_texts_of_equal_words_share_a_key():
    keys = text_keys(word_sequences(["None.", "none", "", "!", "no ne"]))
    assert keys.tolist() == [0, 0, 1, 1, 2]


def test_a_run_ends_where_the_reference_ends():
    assert runs_with(["a b c d"], ["x a b c", "d y"]) == [3, 2, 1, 1]


def test_a_run_longer_than_127_words_counts_as_127():
    text = " ".join(f"w{number}" for number in range(140))
    assert runs_with([text], [text])[:3] == [127, 127, 127]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text("ab c", max_size=14), min_size=1, max_size=4),
    st.lists(st.text("ab c", max_size=14), min_size=1, max_size=4),
)
def test_runs_are_those_that_brute_force_finds(texts, reference):
    spaced = [" ".join(text) for text in texts], [" ".join(text) for text in reference]
    assert runs_with(*spaced) == brute_runs(*spaced)


@pytest.mark.parametrize("length", [1, 2, 3, 8, 13])
def test_ngram_numbers_are_equal_exactly_when_the_words_are(length):
    rng = np.random.default_rng(1)
    texts = [" ".join(rng.choice(list("ab"), 15)) for _ in range(6)]
    sequences = word_sequences(texts)
    numbers, has_room = rank_ngrams(sequences).numbers(length)
    grams = [
        tuple(words[i : i + length])
        for words in map(words_of, texts)
        for i in range(len(words) - length + 1)
    ]
    assert has_room.sum() == len(grams)
    assert len(set(zip(grams, numbers[has_room].tolist(), strict=True))) == len(set(grams))
    assert len(set(numbers[has_room].tolist())) == len(set(grams))


@pytest.mark.parametrize(
    ("other", "is_near"),
    [
        (TEN.replace("three", "x").replace("eight", "y"), True),
        (TEN.replace("three", "x").replace("eight", "y").replace("ten", "z"), False),
        (TEN + " eleven twelve", True),
        (TEN.upper() + "!", False),
        (" ".join(reversed(TEN.split())), False),
    ],
    ids=["two changed", "three changed", "two more", "equal words", "other order"],
)
def test_a_near_copy_has_a_fifth_of_its_words_changed_at_most(other, is_near):
    sequences = word_sequences([TEN, "nothing of the kind is said in this one here", other])
    pairs, _ = near_pairs(sequences, text_keys(sequences))
    assert pairs.tolist() == ([[0, 2]] if is_near else [])


def test_texts_too_short_to_be_near_copies_are_not():
    sequences = word_sequences(["a b c d e f g h i", "a b c d e f g h x"])
    assert len(near_pairs(sequences, text_keys(sequences))[0]) == 0


def test_items_of_one_text_link_nothing():
    links = shared_items(np.array([0, 0, 1, 2]), np.array([5, 5, 6, 6]))
    assert links.texts.tolist() == [1, 2]
    assert links.items.tolist() == [0, 0]


def test_six_pairs_between_synthetic_and_train_are_no_chance():
    role = np.repeat([0, 1, 2], 100)
    texts = np.concatenate((np.arange(6), 100 + np.arange(6)))
    links = shared_items(texts, np.tile(np.arange(6), 2))
    found = compare_links(links, role, rng=np.random.default_rng(0))
    assert (found.only_train, found.only_holdout) == (6, 0)
    assert found.expected == pytest.approx(6 * 2 / 9, abs=0.1)
    assert found.p_value < 0.002


def test_pairs_that_fall_anywhere_are_chance():
    role = np.repeat([0, 1, 2], 100)
    first, second = np.array([0, 1, 2, 100, 101, 200]), np.array([103, 203, 3, 204, 104, 205])
    links = shared_items(np.concatenate((first, second)), np.tile(np.arange(6), 2))
    found = compare_links(links, role, rng=np.random.default_rng(0))
    assert (found.only_train, found.only_holdout) == (1, 1)
    assert found.p_value > 0.3


def test_without_links_there_is_nothing_to_alarm():
    links = shared_items(np.arange(3), np.arange(3))
    assert compare_links(links, np.arange(3), rng=np.random.default_rng(0)).p_value == 1.0


def test_a_run_within_near_copies_is_not_counted_twice():
    long = TEN + " " + TEN.replace("e", "f")
    changed = long.replace("one two", "x y")
    tables = pooled([long], [changed], ["nothing"])
    assert len(tables.near) == 1
    assert len(tables.span_links.texts) == 0
    inside = pooled([long], ["a " * 30 + long], ["nothing"])
    assert len(inside.near) == 0
    assert set(inside.span_links.texts.tolist()) == {0, 1}
