"""Text diversity: how many n-grams are new, and how alike the texts of one table are."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import Codes
from llmsynth_eval.figure import Figure, Interval
from llmsynth_eval.intervals import around
from llmsynth_eval.metric import Measurement
from llmsynth_eval.text.ngrams import rank_ngrams
from llmsynth_eval.text.text_comparison import Role, TextComparison
from llmsynth_eval.text.words import WordSequences, word_sequences

DISTINCT = (1, 2, 3)
SELF_BLEU_TEXTS = 500
DISTINCT_TEXTS = 5_000
BLEU_ORDER = 4
SMOOTHING = 0.1
SPLITS = 10
MEASURED: tuple[Role, ...] = ("synthetic", "holdout")


def measure_diversity(comparison: TextComparison) -> Measurement:
    """Distinct-n and self-BLEU of equally many texts of each table, beside the holdout's."""
    texts = {role: comparison.texts(role) for role in MEASURED}
    size = min(DISTINCT_TEXTS, *(len(part) for part in texts.values()))
    rng = np.random.default_rng((comparison.seed, 11))
    drawn = {
        role: word_sequences([part[row] for row in np.sort(rng.permutation(len(part))[:size])])
        for role, part in texts.items()
    }
    figures = [_distinct_figure(n, drawn["synthetic"], drawn["holdout"]) for n in DISTINCT]
    bleu_size = min(SELF_BLEU_TEXTS, size)
    scores = {role: self_bleu(_first(part, bleu_size)) for role, part in drawn.items()}
    return Measurement(
        figures=(*figures, _bleu_figure(scores["synthetic"], scores["holdout"])),
        notes=(
            f"Distinct-n is of {size:,} texts of each table and self-BLEU of {bleu_size:,}, drawn "
            f"by seed {comparison.seed}; both change with the number of texts.",
        ),
    )


def distinct_share(sequences: WordSequences, n: int) -> float | None:
    """Different n-grams over n-grams; None without any.

    Source: Li et al. (2016), "A diversity-promoting objective function", NAACL.
    """
    numbers, has_room = _numbers(sequences, n)
    total = int(has_room.sum())
    return len(np.unique(numbers[has_room])) / total if total else None


def self_bleu(sequences: WordSequences) -> Floats:
    """BLEU-4 of each text with all others as its references; texts without words score 0.

    A precision without a match counts as .1 matches (smoothing 1 of Chen and Cherry, 2014); the
    geometric mean is over the orders for which the text is long enough.

    Source: Zhu et al. (2018), "Texygen", SIGIR; Papineni et al. (2002), ACL.
    """
    logs, orders = np.zeros(sequences.num_texts), np.zeros(sequences.num_texts)
    for n in range(1, BLEU_ORDER + 1):
        matches, total = _clipped_matches(sequences, n)
        kept = total > 0
        logs[kept] += np.log(np.maximum(matches[kept], SMOOTHING) / total[kept])
        orders += kept
    means = np.exp(logs / np.maximum(orders, 1)) * _brevity(sequences.lengths)
    return np.where(orders > 0, means, 0.0)


def _numbers(sequences: WordSequences, n: int) -> tuple[Codes, NDArray[np.bool_]]:
    return rank_ngrams(sequences).numbers(n)


def _clipped_matches(sequences: WordSequences, n: int) -> tuple[Floats, Floats]:
    """Per text: its n-grams found in some other text, each as often as there; and all of them."""
    numbers, has_room = _numbers(sequences, n)
    texts, grams = sequences.text_numbers[has_room], numbers[has_room]
    size = sequences.num_texts
    if not len(grams):
        return np.zeros(size), np.zeros(size, dtype=np.float64)
    counts = coo_array((np.ones(len(grams)), (grams, texts))).tocsr().tocoo()
    gram, text, count = counts.coords[0], counts.coords[1], counts.data
    order = np.lexsort((-count, gram))
    gram, text, count = gram[order], text[order], count[order]
    is_first = np.concatenate(([True], gram[1:] != gram[:-1]))
    best = count[is_first][np.cumsum(is_first) - 1]
    is_second = np.concatenate(([False], is_first[:-1])) & ~is_first
    second = np.zeros(int(gram.max()) + 1)
    second[gram[is_second]] = count[is_second]
    # The text with the most of an n-gram is measured against the next, all others against it.
    others = np.where(is_first, second[gram], best)
    matches = np.bincount(text, weights=np.minimum(count, others), minlength=size)
    total = np.bincount(text, weights=count, minlength=size)
    return matches.astype(np.float64), total.astype(np.float64)


def _brevity(lengths: Codes) -> Floats:
    """Penalty for a text shorter than the reference nearest to it in length."""
    if len(lengths) < 2:
        return np.ones(len(lengths))
    gaps = np.abs(lengths[:, None] - lengths[None, :]).astype(np.float64)
    np.fill_diagonal(gaps, np.inf)
    # Of two references equally near, the shorter counts.
    nearest = (gaps + lengths[None, :] / (4.0 * max(1, int(lengths.max())))).argmin(axis=1)
    shortfall = 1 - lengths[nearest] / np.maximum(lengths, 1)
    return np.asarray(np.exp(np.minimum(0.0, shortfall)))


def _first(sequences: WordSequences, num_texts: int) -> WordSequences:
    end = int(sequences.starts[num_texts])
    return WordSequences(
        words=sequences.words[:end],
        starts=sequences.starts[: num_texts + 1],
        num_distinct=sequences.num_distinct,
    )


def _distinct_figure(n: int, synthetic: WordSequences, holdout: WordSequences) -> Figure:
    value = distinct_share(synthetic, n)
    return Figure(
        name=f"text_distinct_{n}",
        title=f"Distinct-{n}",
        value=value,
        interval=_split_interval(synthetic, n, value),
        floor=(floor := distinct_share(holdout, n)),
        floor_interval=_split_interval(holdout, n, floor),
        goal="reference",
        meaning=f"Different runs of {n} words over all such runs; low means repetition.",
    )


def _split_interval(sequences: WordSequences, n: int, value: float | None) -> Interval | None:
    """From the spread over ten parts of the texts, scaled to the whole by the root of ten.

    A resample would draw texts twice and so lower the share it should surround.
    """
    if value is None or sequences.num_texts < 2 * SPLITS:
        return None
    numbers, has_room = _numbers(sequences, n)
    part = (sequences.text_numbers * SPLITS // sequences.num_texts)[has_room]
    total = np.bincount(part, minlength=SPLITS)
    pairs = np.unique(np.stack((part, numbers[has_room])), axis=1)[0]
    if not total.all():
        return None
    shares = np.bincount(pairs, minlength=SPLITS) / total
    return around(value, float(shares.std(ddof=1)) / math.sqrt(SPLITS), low=0.0, high=1.0)


def _bleu_figure(synthetic: Floats, holdout: Floats) -> Figure:
    return Figure(
        name="text_self_bleu",
        title="Self-BLEU",
        value=float(synthetic.mean()),
        interval=_mean_interval(synthetic),
        floor=float(holdout.mean()),
        floor_interval=_mean_interval(holdout),
        goal="reference",
        meaning="How much each text repeats the others of its table; above the floor is sameness.",
    )


def _mean_interval(scores: Floats) -> Interval | None:
    if len(scores) < 2:
        return None
    error = float(scores.std(ddof=1)) / math.sqrt(len(scores))
    return around(float(scores.mean()), error, low=0.0, high=1.0)
