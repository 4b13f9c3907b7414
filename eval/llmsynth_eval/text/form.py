"""Text form: lengths, sentences, line breaks, signs, digits and capitals, against train's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp

from llmsynth_eval.bootstrap import resample_weights, spread
from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import Codes
from llmsynth_eval.details import Cell, DetailTable
from llmsynth_eval.figure import Figure, Interval
from llmsynth_eval.headline import Headline
from llmsynth_eval.intervals import around
from llmsynth_eval.metric import Measurement
from llmsynth_eval.text.pooled_texts import PooledTexts
from llmsynth_eval.text.text_comparison import ROLES, TextComparison

LEVEL = 0.01
NUM_DRAWS = 1_999
BLOCK = 100
PATTERNS = {
    "words": r"\w+",
    "sentences": r"[.!?]+(?:\s|$)",
    "line breaks": r"\n",
}
SHARES = {
    "punctuation share": r"[^\w\s]",
    "digit share": r"\d",
    "upper case share": r"[A-Z]",
}


def text_features(texts: Sequence[str]) -> dict[str, Floats]:
    """One number per text for each property of its form; shares are of its characters."""
    series = pd.Series(list(texts), dtype="str")
    characters = np.asarray(series.str.len(), dtype=np.float64)
    features: dict[str, Floats] = {"characters": characters}
    for name, pattern in PATTERNS.items():
        features[name] = np.asarray(series.str.count(pattern), dtype=np.float64)
    for name, pattern in SHARES.items():
        counts = np.asarray(series.str.count(pattern), dtype=np.float64)
        features[name] = counts / np.maximum(characters, 1)
    return features


def measure_form(comparison: TextComparison, pooled: PooledTexts) -> Measurement:
    """A two-sample test per property, and whether texts repeat within the table as they should."""
    seed = comparison.seed
    train, synthetic, holdout = (
        text_features(comparison.texts(role)) for role in ("train", "synthetic", "holdout")
    )
    figures = [
        _figure(name, train[name], synthetic[name], holdout[name], seed=(seed, number))
        for number, name in enumerate(train)
    ]
    p_values = {
        name: float(ks_2samp(train[name], synthetic[name], method="asymp").pvalue) for name in train
    }
    repeats, p_values["repeated texts"] = _repeats(pooled, np.random.default_rng((seed, 99)))
    return Measurement(
        figures=(*figures, repeats),
        tables=(_table(train, synthetic, holdout, p_values),),
        headlines=(_headline(p_values, {figure.title: figure.value for figure in figures}),),
    )


def _figure(
    name: str, train: Floats, synthetic: Floats, holdout: Floats, *, seed: tuple[int, int]
) -> Figure:
    value, interval = _distance(train, synthetic, np.random.default_rng(seed))
    floor, floor_interval = _distance(train, holdout, np.random.default_rng(seed))
    return Figure(
        name=f"text_{name.replace(' ', '_')}",
        title=name.capitalize(),
        value=value,
        interval=interval,
        floor=floor,
        floor_interval=floor_interval,
        goal="lower",
        meaning=f"KS distance of the {name} per text from train's; 0 is the same distribution.",
    )


def _distance(first: Floats, second: Floats, rng: np.random.Generator) -> tuple[float, Interval]:
    """KS statistic and its interval from 20 resamples of both sides."""
    values, codes = np.unique(np.concatenate((first, second)), return_inverse=True)
    parts = np.split(codes, [len(first)])
    heights = []
    for part in parts:
        weights = resample_weights(len(part), rng)
        counts = np.stack([np.bincount(part, weights=w, minlength=len(values)) for w in weights])
        heights.append(np.cumsum(counts, axis=1) / len(part))
    distances = np.abs(heights[0] - heights[1]).max(axis=1)
    value = float(distances[0])
    return value, around(value, spread(distances), low=0.0, high=1.0)


def _repeats(pooled: PooledTexts, rng: np.random.Generator) -> tuple[Figure, float]:
    """Share of texts that another text of the same table equals, and a two-sided p-value.

    The null allots every text to train or synthetic by chance, as `compare_links` does.
    """
    is_synthetic, is_train = pooled.is_of("synthetic"), pooled.is_of("train")
    keys = pooled.keys
    repeats = {role: _num_repeated(keys[pooled.is_of(role)]) for role in ROLES}
    rows = {role: int(pooled.is_of(role).sum()) for role in ROLES}
    both = keys[is_synthetic | is_train]
    sizes = np.bincount(both)
    groups = np.unique(both[sizes[both] > 1], return_inverse=True)[1]
    drawn = _drawn_repeats(groups, rows["synthetic"] / (rows["synthetic"] + rows["train"]), rng)
    above = int((drawn >= repeats["synthetic"]).sum())
    below = int((drawn <= repeats["synthetic"]).sum())
    p_value = min(1.0, 2 * (1 + min(above, below)) / (1 + NUM_DRAWS))
    share = repeats["synthetic"] / rows["synthetic"]
    deviation = float(drawn.std()) / rows["synthetic"]
    return Figure(
        name="text_repeats",
        title="Repeated texts",
        value=share,
        interval=around(share, deviation, low=0.0, high=1.0),
        floor=repeats["holdout"] / rows["holdout"],
        goal="reference",
        meaning="Share of texts that another text of the same table equals, word for word.",
    ), p_value


def _num_repeated(keys: Codes) -> int:
    sizes = np.bincount(keys)
    return int(sizes[sizes > 1].sum())


def _drawn_repeats(groups: Codes, share: float, rng: np.random.Generator) -> Codes:
    """Repeated texts of random halves; `groups` numbers the texts that have an equal one."""
    if not len(groups):
        return np.zeros(NUM_DRAWS, dtype=np.int64)
    width = int(groups.max()) + 1
    drawn: list[Codes] = []
    for start in range(0, NUM_DRAWS, BLOCK):
        rows = min(BLOCK, NUM_DRAWS - start)
        is_in = rng.random((rows, len(groups))) < share
        places = (np.arange(rows)[:, None] * width + groups)[is_in]
        sizes = np.bincount(places, minlength=rows * width).reshape(rows, width)
        drawn.append(np.where(sizes > 1, sizes, 0).sum(axis=1))
    return np.concatenate(drawn)


def _table(
    train: Mapping[str, Floats],
    synthetic: Mapping[str, Floats],
    holdout: Mapping[str, Floats],
    p_values: Mapping[str, float],
) -> DetailTable:
    rows: list[tuple[Cell, ...]] = [
        (
            name,
            *(
                float(np.quantile(part[name], share))
                for part in (train, synthetic, holdout)
                for share in (0.5, 0.95)
            ),
            p_values[name],
        )
        for name in sorted(train, key=lambda name: p_values[name])
    ]
    heads = [f"{role} {share}" for role in ("train", "synthetic", "holdout") for share in HEADS]
    return DetailTable(
        name="text_form",
        title="Form of the texts",
        columns=("property", *heads, "p"),
        rows=tuple(rows),
        meaning=(
            "Median and 95th percentile per text. Good: synthetic between train and holdout; p is "
            "of the Kolmogorov-Smirnov test of synthetic against train. It sees single "
            "properties, not whether a text makes sense."
        ),
    )


HEADS = ("median", "95%")


def _headline(p_values: Mapping[str, float], distances: Mapping[str, float | None]) -> Headline:
    level = LEVEL / len(p_values)
    worst = min(p_values, key=lambda name: p_values[name])
    alarm = p_values[worst] <= level
    distance = distances.get(worst.capitalize())
    size = "" if distance is None else f" (KS distance {distance:.3f})"
    return Headline(
        name="text_form",
        topic="text",
        question="Do the texts have the form of real ones?",
        answer="alarm" if alarm else "good",
        words=(
            f"Of {len(p_values)} properties, {worst} differ most from train's{size}, "
            f"p = {p_values[worst]:.2g} against a level of {level:.4f}."
        ),
        p_value=p_values[worst],
        level=level,
        effect=distance,
    )
