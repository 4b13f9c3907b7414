"""The figures of a text column: hand-worked values of form, diversity, content and replay."""

import numpy as np
import pytest
from llmsynth_eval.text.agreement import macro_f1, surprises
from llmsynth_eval.text.diversity import distinct_share, self_bleu
from llmsynth_eval.text.embedding_distance import mauve, two_sample_auc
from llmsynth_eval.text.form import _distance, text_features
from llmsynth_eval.text.personal_strings import personal_strings
from llmsynth_eval.text.text_learner import class_probabilities
from llmsynth_eval.text.words import word_sequences


def test_form_counts_what_a_reader_would():
    features = text_features(["Is 12 ok? Yes.\nNo"])
    assert {name: float(values[0]) for name, values in features.items()} == {
        "characters": 17,
        "words": 5,
        "sentences": 2,
        "line breaks": 1,
        "punctuation share": 2 / 17,
        "digit share": 2 / 17,
        "upper case share": 3 / 17,
    }


def test_the_empty_text_has_no_share():
    assert all(values[0] == 0 for values in text_features([""]).values())


def test_a_distance_is_the_largest_gap_of_the_two_distributions():
    first, second = np.array([1.0, 2, 3, 4]), np.array([3.0, 4, 5, 6])
    assert _distance(first, second, np.random.default_rng(0))[0] == 0.5


@pytest.mark.parametrize(("n", "share"), [(1, 3 / 6), (2, 3 / 4), (3, 2 / 2), (4, None)])
def test_distinct_n_is_different_ngrams_over_ngrams(n, share):
    assert distinct_share(word_sequences(["a b a", "a b c"]), n) == share


def test_self_bleu_is_one_for_equal_texts_and_small_for_unlike_ones():
    same = self_bleu(word_sequences(["a b c d e"] * 3))
    other = self_bleu(word_sequences(["a b c d e", "f g h i j"]))
    assert same.tolist() == pytest.approx([1, 1, 1])
    assert other == pytest.approx(np.exp(np.log(0.1 / np.array([5, 4, 3, 2])).mean()))


def test_self_bleu_clips_and_shortens_as_bleu_does():
    scores = self_bleu(word_sequences(["the the the", "the cat sat"]))
    # 1 of 3 words, then .1 of 2 pairs and of 1 triple; equal lengths, so no brevity penalty.
    assert scores[0] == pytest.approx((1 / 3 * 0.1 / 2 * 0.1 / 1) ** (1 / 3))
    short = self_bleu(word_sequences(["a b", "a b c d"]))
    assert short[0] == pytest.approx(np.exp(1 - 4 / 2))


def test_mauve_is_one_for_equal_distributions_and_near_zero_for_disjoint_ones():
    half = np.array([0.5, 0.5, 0, 0])
    assert mauve(half, half) == pytest.approx(1)
    assert mauve(half, half[::-1]) < 0.05
    assert mauve(half, np.array([0.4, 0.6, 0, 0])) == pytest.approx(
        mauve(np.array([0.4, 0.6, 0, 0]), half)
    )


def test_vectors_of_one_source_cannot_be_told_apart_and_shifted_ones_can():
    vectors = np.random.default_rng(0).normal(size=(600, 5))
    assert two_sample_auc(vectors[:300], vectors[300:], seed=0)[0] == pytest.approx(0.5, abs=0.07)
    assert two_sample_auc(vectors[:300], vectors[300:] + 2, seed=0)[0] > 0.95


def test_macro_f1_is_the_mean_over_classes_that_occur():
    truth, guess = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])
    assert macro_f1(truth, guess, 3) == pytest.approx((4 / 5 + 2 / 3) / 2)


def test_surprise_is_nothing_on_average_for_labels_that_follow_the_text():
    probabilities, classes = np.array([[0.7, 0.2, 0.1]] * 3), np.array([0.5, 0.3, 0.2])
    each = surprises(probabilities, np.arange(3), classes)
    assert (probabilities[0] * each).sum() == pytest.approx(0)
    assert each[2] - each[0] == pytest.approx(np.log(1.1 / (0.9 + 0.05 / 0.7)))


def test_the_learner_reads_words_and_keeps_a_chance_for_every_class():
    texts, labels = ["red wine", "red rose", "blue sky", "blue sea"] * 5, np.array([0, 0, 1, 1] * 5)
    found = class_probabilities(texts, labels, ["red", "blue", ""], num_classes=3)
    assert found.argmax(axis=1)[:2].tolist() == [0, 1]
    assert found.sum(axis=1) == pytest.approx(1)
    assert found.min() > 0


def test_texts_without_words_teach_the_class_shares():
    found = class_probabilities(["", "!"], np.array([0, 1]), ["x"], num_classes=2)
    assert found.tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize(
    ("text", "kind", "strings"),
    [
        ("write to Ann.Lee@mail.org.", "e-mail address", {"ann.lee@mail.org"}),
        ("call (555) 123-4567 or +44 20 7946 0958", "phone number", {"555 123 4567"}),
        ("MRN 00123456, 12345 steps", "long number", {"00123456"}),
        ("born 4/8/1961, seen March 3, 2005", "full date", {"4 8 1961", "march 3 2005"}),
        ("on 2005-04-08 and 5 May 2001", "full date", {"2005 04 08", "5 may 2001"}),
        ("seen by Dr. Kumar with her aunt Mary Jones", "name", {"dr kumar", "mary jones"}),
        ("The patient is well. She walks.", "name", set()),
    ],
)
def test_personal_strings_are_found_by_their_pattern(text, kind, strings):
    found = personal_strings(text)[kind]
    assert strings <= found
    assert found == strings or kind == "phone number"
