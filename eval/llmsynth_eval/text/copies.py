"""Text copies: whole texts, runs of words and near-copies of train, beyond what chance shares."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from llmsynth_eval.coded_table import Codes
from llmsynth_eval.details import Curve, Line
from llmsynth_eval.figure import Figure, Interval
from llmsynth_eval.headline import Headline
from llmsynth_eval.intervals import around, wilson
from llmsynth_eval.metric import Measurement
from llmsynth_eval.text.link_test import LinkTest, compare_links
from llmsynth_eval.text.ngrams import longest_runs
from llmsynth_eval.text.pooled_texts import MIN_WORDS, SPAN_WORDS, PooledTexts
from llmsynth_eval.text.text_comparison import Role

LEVEL = 0.01
NGRAMS = (8, 13)
REFERENCES: tuple[Role, ...] = ("train", "holdout")
RUN_LINES: tuple[tuple[Role, Role, str], ...] = (
    ("synthetic", "train", "synthetic, in train"),
    ("synthetic", "holdout", "synthetic, in holdout"),
    ("holdout", "train", "holdout, in train"),
)
RUN_LENGTHS = (4, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 64, 80, 100, 127)


def measure_copies(pooled: PooledTexts, *, seed: int, with_floor: bool = True) -> Measurement:
    """Shares of copied texts and n-grams, the longest common runs, and the two copy headlines."""
    runs = {role: _runs(pooled, role) for role in REFERENCES}
    exact, near, spans = (
        compare_links(links, pooled.role, rng=np.random.default_rng((seed, number)))
        for number, links in enumerate((pooled.exact_links, pooled.near_links, pooled.span_links))
    )
    return Measurement(
        figures=(
            _exact(pooled, with_floor),
            _near(pooled, with_floor),
            *(_ngram_rate(pooled, runs["train"], n, with_floor) for n in NGRAMS),
            _longest_run(pooled, runs["train"], with_floor),
            _excess("text_copy_excess", "Text copy excess", exact, pooled),
            _excess("text_span_excess", "Text span excess", spans, pooled),
            _excess("text_near_copy_excess", "Text near-copy excess", near, pooled),
        ),
        curves=(_run_curve(pooled, runs),),
        headlines=(
            _headline(
                "text_copies",
                "Are train texts copied word for word?",
                {"whole texts": exact, f"runs of {SPAN_WORDS} words": spans},
            ),
            _headline(
                "text_near_copies",
                "Are train texts copied with a few words changed?",
                {"near-copies": near},
            ),
        ),
        counts={
            "synthetic texts copied from train only": exact.only_train,
            "synthetic texts copied from holdout only": exact.only_holdout,
            "synthetic texts with a run of train only": spans.only_train,
            "synthetic texts with a run of holdout only": spans.only_holdout,
            "synthetic texts near to a train text only": near.only_train,
            "synthetic texts near to a holdout text only": near.only_holdout,
        },
        notes=(
            f"Copies count from {MIN_WORDS} words for a whole text and from {SPAN_WORDS} for a run "
            "inside another text; near-copies from 10 words. Shorter ones repeat by chance.",
        ),
    )


def _runs(pooled: PooledTexts, reference: Role) -> Codes:
    in_reference = pooled.is_of(reference)[pooled.sequences.text_numbers]
    return longest_runs(pooled.ngrams, in_reference)


def _exact(pooled: PooledTexts, with_floor: bool) -> Figure:
    in_train = np.isin(pooled.keys, pooled.keys[pooled.is_of("train")])
    return _share_figure(
        "text_exact_copies",
        "Copied texts",
        "Share of texts whose words are those of a train text, short ones included.",
        pooled,
        in_train,
        with_floor,
    )


def _near(pooled: PooledTexts, with_floor: bool) -> Figure:
    is_train = pooled.is_of("train")
    near_train = np.zeros(len(pooled.role), dtype=bool)
    for here, there in ((0, 1), (1, 0)):
        near_train[pooled.near[is_train[pooled.near[:, there]], here]] = True
    return _share_figure(
        "text_near_copies",
        "Near-copied texts",
        "Share of texts that are a train text with at most 20% of the words changed.",
        pooled,
        near_train,
        with_floor,
    )


def _share_figure(
    name: str,
    title: str,
    meaning: str,
    pooled: PooledTexts,
    found: NDArray[np.bool_],
    with_floor: bool,
) -> Figure:
    mine, floor = found[pooled.is_of("synthetic")], found[pooled.is_of("holdout")]
    return Figure(
        name=name,
        title=title,
        value=float(mine.mean()),
        interval=wilson(int(mine.sum()), len(mine)),
        floor=float(floor.mean()) if with_floor else None,
        floor_interval=wilson(int(floor.sum()), len(floor)) if with_floor else None,
        goal="lower",
        meaning=meaning,
    )


def _ngram_rate(pooled: PooledTexts, runs: Codes, n: int, with_floor: bool) -> Figure:
    value, interval = _rate(pooled, runs, n, "synthetic")
    floor, floor_interval = _rate(pooled, runs, n, "holdout") if with_floor else (None, None)
    return Figure(
        name=f"text_{n}_gram_copies",
        title=f"Copied {n}-grams",
        value=value,
        interval=interval,
        floor=floor,
        floor_interval=floor_interval,
        goal="lower",
        meaning=f"Share of runs of {n} words that stand word for word in a train text.",
    )


def _rate(
    pooled: PooledTexts, runs: Codes, n: int, role: Role
) -> tuple[float | None, Interval | None]:
    """Copied runs over runs; the interval takes whole texts as the units that vary."""
    words = pooled.sequences.text_numbers
    has_room = (pooled.ngrams.room >= n) & pooled.is_of(role)[words]
    size = len(pooled.role)
    total = np.bincount(words[has_room], minlength=size)[pooled.is_of(role)]
    copied = np.bincount(words[has_room & (runs >= n)], minlength=size)[pooled.is_of(role)]
    if not total.sum():
        return None, None
    rate = float(copied.sum() / total.sum())
    error = math.sqrt(float(((copied - rate * total) ** 2).sum())) / float(total.sum())
    return rate, around(rate, error, low=0.0, high=1.0)


def _longest(pooled: PooledTexts, runs: Codes, role: Role) -> Codes:
    longest = np.zeros(len(pooled.role), dtype=np.int64)
    np.maximum.at(longest, pooled.sequences.text_numbers, runs)
    mine: Codes = longest[pooled.is_of(role)]
    return mine


def _longest_run(pooled: PooledTexts, runs: Codes, with_floor: bool) -> Figure:
    mine, floor = _longest(pooled, runs, "synthetic"), _longest(pooled, runs, "holdout")
    return Figure(
        name="text_longest_run",
        title="Longest common run",
        value=float(mine.mean()),
        interval=_mean_interval(mine),
        floor=float(floor.mean()) if with_floor else None,
        floor_interval=_mean_interval(floor) if with_floor else None,
        goal="reference",
        meaning="Mean number of words of the longest run that a text shares with a train text.",
    )


def _mean_interval(values: Codes) -> Interval | None:
    if len(values) < 2:
        return None
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return around(float(values.mean()), error, low=0.0, high=float("inf"))


def _excess(name: str, title: str, test: LinkTest, pooled: PooledTexts) -> Figure:
    rows = int(pooled.is_of("synthetic").sum())
    low, high = wilson(test.only_train, rows)
    expected = test.expected / rows
    return Figure(
        name=name,
        title=title,
        value=test.only_train / rows - expected,
        interval=(low - expected, high - expected),
        floor=0.0,
        goal="lower",
        meaning="Texts shared with train and not with the holdout, less what chance would share.",
    )


def _run_curve(pooled: PooledTexts, runs: dict[Role, Codes]) -> Curve:
    lines = []
    for role, other, name in RUN_LINES:
        longest = _longest(pooled, runs[other], role)
        shares = tuple(float((longest >= length).mean()) for length in RUN_LENGTHS)
        lines.append(Line(name=name, x=tuple(map(float, RUN_LENGTHS)), y=shares))
    return Curve(
        name="text_run_lengths",
        title="How long the runs are that texts share",
        x_label="words",
        y_label="share of texts with so long a run",
        lines=tuple(lines),
        meaning=(
            "Good: the synthetic lines lie on one another and on the holdout's. A line for train "
            "that stays up where the one for the holdout falls is memorised text."
        ),
    )


def _headline(name: str, question: str, tests: Mapping[str, LinkTest]) -> Headline:
    level = LEVEL / len(tests)
    worst = min(tests, key=lambda kind: tests[kind].p_value)
    test = tests[worst]
    return Headline(
        name=name,
        topic="text",
        question=question,
        answer="alarm" if test.p_value <= level else "good",
        words=(
            f"{test.only_train:,} synthetic texts share {worst} with train only, "
            f"{test.only_holdout:,} with the holdout only; by chance {test.expected:.1f} would "
            f"with train only (p = {test.p_value:.4f} against a level of {level:.4f})."
        ),
        p_value=test.p_value,
        level=level,
        effect=test.only_train - test.expected,
    )
