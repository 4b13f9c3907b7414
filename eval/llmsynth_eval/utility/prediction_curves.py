"""Calibration and ROC curves of predicted class probabilities."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import Codes
from llmsynth_eval.details import Curve, Line, thinned
from llmsynth_eval.utility.exam import BINS, stated_and_happened


def calibration_curve(truth: Codes, probabilities: Mapping[str, Floats], *, learner: str) -> Curve:
    """What happened against what was stated, in ten equally filled bins a line."""
    lines = [Line(name="perfect", x=(0.0, 1.0), y=(0.0, 1.0))]
    for name, predicted in probabilities.items():
        stated, happened = stated_and_happened(truth, predicted)
        bins = np.array_split(np.argsort(stated, kind="stable"), BINS)
        filled = [rows for rows in bins if len(rows)]
        lines.append(
            Line(
                name=name,
                x=tuple(float(stated[rows].mean()) for rows in filled),
                y=tuple(float(happened[rows].mean()) for rows in filled),
            )
        )
    return Curve(
        name="calibration",
        title=f"Calibration, {learner}",
        x_label="stated probability",
        y_label="share that happened",
        lines=tuple(lines),
        meaning="On the diagonal a stated 30% happens in 30% of the real rows. Lines of learners "
        "taught by synthetic and by train rows should lie together.",
    )


def roc_curves(
    truth: Codes, probabilities: Mapping[str, Floats], positive: int, *, learner: str
) -> Curve:
    """True against false positive rate of the rarer class."""
    is_positive = truth == positive
    lines = [Line(name="chance", x=(0.0, 1.0), y=(0.0, 1.0))]
    for name, predicted in probabilities.items():
        scores = predicted[:, positive]
        order = np.argsort(-scores, kind="stable")
        ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
        hits = np.cumsum(is_positive[order])[ends] / max(1, is_positive.sum())
        misses = np.cumsum(~is_positive[order])[ends] / max(1, (~is_positive).sum())
        x, y = thinned([0.0, *misses], [0.0, *hits])
        lines.append(Line(name=name, x=x, y=y))
    return Curve(
        name="roc",
        title=f"ROC of the rarer class, {learner}",
        x_label="false positive rate",
        y_label="true positive rate",
        lines=tuple(lines),
        meaning="Higher is better; lines of learners taught by synthetic and by train rows should "
        "lie together. It does not show whether probabilities are right: see calibration.",
    )
