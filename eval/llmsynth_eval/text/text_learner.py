"""The one learner of text: word weights, and a logistic regression with honest probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import Codes

FOLDS = 5
FLOOR = 0.002
STRENGTH = 10.0


def class_probabilities(
    texts: Sequence[str], labels: Codes, others: Sequence[str], *, num_classes: int
) -> Floats:
    """Learn a label from texts and give each class's probability for other texts.

    TF-IDF of words held by two texts or more (all of them where none is), logistic regression
    with C = 10; every class keeps at least .002, because a class without an example may occur.

    Returns:
        Probabilities of shape (others, num_classes), rows summing to 1.
    """
    present, sizes = np.unique(labels, return_counts=True)
    found = np.zeros((len(others), num_classes))
    if len(present) == 1 or not any(_has_word(text) for text in texts):
        found[:, present] = sizes / sizes.sum()
    else:
        words = _fitted(texts)
        model = LogisticRegression(C=STRENGTH, max_iter=200, tol=1e-2)
        model.fit(words.transform(texts), labels)
        found[:, present] = model.predict_proba(words.transform(others))
    found += FLOOR
    probabilities: Floats = found / found.sum(axis=1, keepdims=True)
    return probabilities


def folded_probabilities(
    real: Sequence[str],
    labels: Codes,
    others: Sequence[str],
    *,
    num_classes: int,
    seed: int,
) -> tuple[Floats, Floats]:
    """Probabilities for real texts by models of the other folds, and for others by every model.

    The models are not averaged: their mean knows more than any of them, so other texts would
    be read better than the real ones they are compared with.

    Returns:
        Shapes (real, num_classes) and (models, others, num_classes).
    """
    folds = min(FOLDS, len(real))
    mine, theirs = np.empty((len(real), num_classes)), []
    for fit_rows, score_rows in KFold(folds, shuffle=True, random_state=seed).split(labels):
        both = [real[row] for row in score_rows] + list(others)
        found = class_probabilities(
            [real[row] for row in fit_rows], labels[fit_rows], both, num_classes=num_classes
        )
        mine[score_rows] = found[: len(score_rows)]
        theirs.append(found[len(score_rows) :])
    return mine, np.stack(theirs)


def _fitted(texts: Sequence[str]) -> TfidfVectorizer:
    words = TfidfVectorizer(sublinear_tf=True, min_df=2, token_pattern=r"\w+")
    try:
        return words.fit(texts)
    except ValueError:  # no word is held by two texts
        return words.set_params(min_df=1).fit(texts)


def _has_word(text: str) -> bool:
    return any(character.isalnum() for character in text)
