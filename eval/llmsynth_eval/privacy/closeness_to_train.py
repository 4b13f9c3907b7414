"""Is the synthetic table nearer to train than to the holdout: DCR share, tail and outliers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import Codes
from llmsynth_eval.details import Curve, Line, thinned
from llmsynth_eval.figure import Figure
from llmsynth_eval.intervals import around, wilson
from llmsynth_eval.metric import Measurement
from llmsynth_eval.privacy.dcr_share import TIE
from llmsynth_eval.privacy.distances import Distances
from llmsynth_eval.privacy.evidence import Evidence, Finding

NUM_SHUFFLES = 1_000
OUTLIER_SHARE = 0.1
TAIL = 0.05
RESAMPLES = 200


def dcr_share(distances: Distances, rng: np.random.Generator) -> Finding:
    """The DCR share of all rows and of those near isolated real rows, with their null.

    The null shuffles which real rows are called train: rows share neighbours, so that the share
    may spread more than independent draws would.
    """
    candidates, gaps = _candidates(distances)
    size = distances.train.num_rows
    nearest = candidates[:, 0]
    bar = np.quantile(distances.isolation, 1 - OUTLIER_SHARE)
    outliers = distances.isolation[nearest] >= bar
    everyone = np.ones(len(nearest), dtype=bool)
    findings = [
        _share(candidates, gaps, chosen, size, rng, name=name, title=title, meaning=meaning)
        for chosen, name, title, meaning in (
            (
                everyone,
                "dcr_share",
                "DCR share",
                "Share of synthetic rows nearer to a train row than to an unseen real row.",
            ),
            (
                outliers,
                "dcr_share_outliers",
                "DCR share near outliers",
                "The DCR share among synthetic rows whose nearest real row is one of the tenth "
                "that lie farthest from other real rows.",
            ),
        )
    ]
    return Finding(
        measurement=Measurement(
            figures=tuple(f for found in findings for f in found.measurement.figures),
            notes=tuple(n for found in findings for n in found.measurement.notes),
            counts={
                "synthetic rows measured for the DCR share": len(nearest),
                "rows in each DCR reference": size,
                "synthetic rows near outliers": int(outliers.sum()),
            },
        ),
        evidence=tuple(e for found in findings for e in found.evidence),
    )


def tail_ratio(distances: Distances, rng: np.random.Generator) -> Finding:
    """Fifth percentile of the distance to train over that to the holdout, and both curves."""
    to_train, to_holdout = distances.to_train.nearest, distances.to_holdout.nearest
    floor = _floor_ratio(distances)
    value = _ratio(to_train, to_holdout)
    drawn = rng.integers(0, len(to_train), size=(RESAMPLES, len(to_train)))
    ratios = [_ratio(to_train[d], to_holdout[d]) for d in drawn]
    usable = [ratio for ratio in ratios if ratio is not None]
    figure = Figure(
        name="dcr_tail_ratio",
        title="Fifth-percentile DCR, train over holdout",
        value=value,
        interval=None
        if value is None or len(usable) < len(ratios)
        else around(value, float(np.std(usable, ddof=1)), low=0.0, high=np.inf),
        floor=floor,
        goal="reference",
        meaning="The distance that 5% of synthetic rows stay below, to train over to unseen rows: "
        "1 is no difference, less than 1 is nearer to train.",
    )
    notes = (
        ("The fifth-percentile DCR is undefined: 5% of synthetic rows equal an unseen row.",)
        if value is None
        else ()
    )
    return Finding(
        measurement=Measurement(figures=(figure,), curves=(_curve(distances),), notes=notes)
    )


@dataclass(frozen=True, kw_only=True)
class _Null:
    value: float
    p_value: float


def _candidates(distances: Distances) -> tuple[Codes, Floats]:
    """Positions among train then holdout of the two nearest rows of each, nearest first."""
    size = distances.train.num_rows
    found = np.hstack([distances.to_train.found, distances.to_holdout.found + size])
    gaps = np.hstack([distances.to_train.distances, distances.to_holdout.distances])
    order = np.argsort(gaps, axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1), np.take_along_axis(gaps, order, axis=1)


def _share(
    candidates: Codes,
    gaps: Floats,
    chosen: NDArray[np.bool_],
    size: int,
    rng: np.random.Generator,
    *,
    name: str,
    title: str,
    meaning: str,
) -> Finding:
    rows = int(chosen.sum())
    if not rows:
        figure = Figure(name=name, title=title, value=None, goal="half", meaning=meaning)
        note = f"{title} is undefined: no synthetic row belongs to it."
        return Finding(measurement=Measurement(figures=(figure,), notes=(note,)))
    null = _shuffled(candidates[chosen], gaps[chosen], size, rng)
    figure = Figure(
        name=name,
        title=title,
        value=null.value,
        interval=wilson(null.value * rows, rows),
        floor=0.5,
        goal="half",
        meaning=f"{meaning} .5 by definition for real rows; shuffled membership reaches this "
        f"share with probability {null.p_value:.3g}.",
    )
    evidence = Evidence(name=title, effect=null.value - 0.5, p_value=null.p_value)
    return Finding(measurement=Measurement(figures=(figure,)), evidence=(evidence,))


def _shuffled(candidates: Codes, gaps: Floats, size: int, rng: np.random.Generator) -> _Null:
    """The share and how often it is reached when membership is shuffled among the real rows."""
    tied = gaps <= gaps[:, :1] * (1 + TIE)
    is_member = np.arange(2 * size) < size
    value = _score(is_member[candidates], tied)
    simple = ~tied[:, 1:].any(axis=1)
    hubs = np.bincount(candidates[simple, 0], minlength=2 * size).astype(np.float64)
    knots, knots_tied = candidates[~simple], tied[~simple]
    reached = 0
    for _ in range(NUM_SHUFFLES):
        shuffled = rng.permutation(is_member)
        total = hubs @ shuffled
        if len(knots):
            total += _score(shuffled[knots], knots_tied) * len(knots)
        reached += total >= value * len(candidates) - 1e-9
    return _Null(value=value, p_value=(1 + int(reached)) / (1 + NUM_SHUFFLES))


def _score(is_member: NDArray[np.bool_], tied: NDArray[np.bool_]) -> float:
    """Mean over rows: 1 if all nearest records are members, 0 if none is, a half if some are."""
    some = (is_member & tied).any(axis=1)
    every = (is_member | ~tied).all(axis=1)
    return float((some.astype(np.float64) + every).mean() / 2)


def _ratio(to_train: Floats, to_holdout: Floats) -> float | None:
    below = float(np.quantile(to_holdout, TAIL))
    return float(np.quantile(to_train, TAIL)) / below if below > 0 else None


def _floor_ratio(distances: Distances) -> float | None:
    return _ratio(distances.floor_to_train.nearest, distances.others_to_reference.nearest)


def _curve(distances: Distances) -> Curve:
    lines = []
    for name, nearest in (
        ("synthetic to train", distances.to_train.nearest),
        ("synthetic to holdout", distances.to_holdout.nearest),
        ("holdout to holdout", distances.others_to_reference.nearest),
    ):
        ordered = np.sort(nearest)
        x, y = thinned(ordered.tolist(), (np.arange(1, len(ordered) + 1) / len(ordered)).tolist())
        lines.append(Line(name=name, x=x, y=y))
    return Curve(
        name="dcr",
        title="Distance to the nearest record",
        x_label="distance",
        y_label="share of rows at most this far",
        lines=tuple(lines),
        meaning="Good: the lines to train and to holdout lie on each other. A line to train that "
        "rises earlier means nearer to train; the curves cannot show single copied rows. The "
        "line of real rows is measured with half as many references.",
    )
