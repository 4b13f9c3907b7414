"""Embedding distances: can a classifier tell the texts apart, and a MAUVE-style divergence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from llmsynth_eval.bootstrap import RESAMPLES, resample_weights, spread
from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import Codes
from llmsynth_eval.figure import Figure, Interval
from llmsynth_eval.intervals import around, delong
from llmsynth_eval.metric import Measurement
from llmsynth_eval.text.embedders import Embedder, HashedWords
from llmsynth_eval.text.text_comparison import ROLES, TextComparison

MAX_TEXTS = 1_000
FOLDS = 3
SCALE = 5.0
MIXTURES = 25
TEXTS_PER_CLUSTER = 20
MAX_CLUSTERS = 50


def measure_embeddings(comparison: TextComparison) -> Measurement:
    """C2ST AUC and divergence of synthetic from train, and of the holdout from train."""
    embedder = comparison.embedder or HashedWords()
    size = min(MAX_TEXTS, *(len(comparison.frame(role)) for role in ROLES))
    notes = [
        f"C2ST and divergence of texts use {size:,} texts of each table, drawn by seed "
        f"{comparison.seed}, embedded by {embedder.name}; compare only figures of one embedder."
    ]
    if size < FOLDS:
        notes.append(f"C2ST and divergence of texts need {FOLDS} texts in every table.")
        return Measurement(notes=tuple(notes))
    train, synthetic, holdout = _vectors(comparison, embedder, size)
    return Measurement(
        figures=(
            _c2st(train, synthetic, holdout, seed=comparison.seed),
            _divergence(train, synthetic, holdout, seed=comparison.seed),
        ),
        notes=tuple(notes),
    )


def _vectors(comparison: TextComparison, embedder: Embedder, size: int) -> list[Floats]:
    texts: list[str] = []
    for number, role in enumerate(ROLES):
        rng = np.random.default_rng((comparison.seed, 21, number))
        mine = comparison.texts(role)
        texts += [mine[row] for row in np.sort(rng.permutation(len(mine))[:size])]
    return np.split(np.asarray(embedder.embed(texts), dtype=np.float64), [size, 2 * size])


def _c2st(train: Floats, synthetic: Floats, holdout: Floats, *, seed: int) -> Figure:
    value, interval = two_sample_auc(train, synthetic, seed=seed)
    floor, floor_interval = two_sample_auc(train, holdout, seed=seed)
    return Figure(
        name="text_c2st",
        title="Text C2ST AUC",
        value=value,
        interval=interval,
        floor=floor,
        floor_interval=floor_interval,
        goal="half",
        meaning="How well a classifier tells synthetic texts from real ones; .5 is not at all.",
    )


def two_sample_auc(first: Floats, second: Floats, *, seed: int) -> tuple[float, Interval | None]:
    """AUC of logistic regression on vectors, three folds, with its DeLong interval."""
    vectors = np.concatenate((first, second))
    is_second = np.repeat([False, True], [len(first), len(second)])
    scores = np.empty(len(vectors))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for fit_rows, score_rows in folds.split(vectors, is_second):
        model = LogisticRegression(max_iter=500).fit(vectors[fit_rows], is_second[fit_rows])
        scores[score_rows] = model.decision_function(vectors[score_rows])
    return delong(is_second, scores)


def _divergence(train: Floats, synthetic: Floats, holdout: Floats, *, seed: int) -> Figure:
    num_clusters = max(2, min(MAX_CLUSTERS, len(train) // TEXTS_PER_CLUSTER))
    everything = np.concatenate((train, synthetic, holdout))
    if len(np.unique(everything, axis=0)) < num_clusters:
        labels = np.unique(everything, axis=0, return_inverse=True)[1].ravel()
    else:
        labels = KMeans(num_clusters, n_init=1, random_state=seed).fit(everything).labels_
    parts = np.split(labels.astype(np.int64), [len(train), 2 * len(train)])
    value, interval = _mauve(parts[0], parts[1], seed=seed)
    floor, floor_interval = _mauve(parts[0], parts[2], seed=seed)
    return Figure(
        name="text_mauve",
        title="MAUVE-style score",
        value=value,
        interval=interval,
        floor=floor,
        floor_interval=floor_interval,
        goal="higher",
        meaning=f"Overlap of what the texts are about, over {num_clusters} clusters; 1 is all.",
    )


def _mauve(first: Codes, second: Codes, *, seed: int) -> tuple[float, Interval]:
    rng, size = np.random.default_rng((seed, 22)), int(max(first.max(), second.max())) + 1
    shares = []
    for part in (first, second):
        weights = resample_weights(len(part), rng)
        counts = np.stack([np.bincount(part, weights=w, minlength=size) for w in weights])
        shares.append(counts / len(part))
    scores = np.array([mauve(shares[0][i], shares[1][i]) for i in range(1 + RESAMPLES)])
    return float(scores[0]), around(float(scores[0]), spread(scores), low=0.0, high=1.0)


def mauve(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Area under the divergence curve of two distributions over clusters; 1 for equal ones.

    Source: Pillutla et al. (2021), "MAUVE", NeurIPS, section 2, with scale c = 5 and 25
    mixtures of the two.
    """
    shares = np.linspace(0, 1, MIXTURES + 2)[1:-1, None]
    mixed = shares * first + (1 - shares) * second
    x = np.exp(-SCALE * _kullback_leibler(second, mixed))
    y = np.exp(-SCALE * _kullback_leibler(first, mixed))
    points = sorted(zip([0.0, *x, 1.0], [1.0, *y, 0.0], strict=True), key=lambda p: (p[0], -p[1]))
    xs, ys = np.array(points).T
    return float(np.trapezoid(ys, xs))


def _kullback_leibler(first: Floats, mixed: Floats) -> Floats:
    kept = first > 0
    divergence: Floats = (first[kept] * np.log(first[kept] / mixed[:, kept])).sum(axis=1)
    return divergence
