"""Closeness: whether the synthetic table as a whole lies nearer to train than to unseen rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from llmsynth_eval.figure import Figure, Goal
from llmsynth_eval.headline import Headline
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.privacy.closeness_to_train import dcr_share, tail_ratio
from llmsynth_eval.privacy.copy_test import LEVEL
from llmsynth_eval.privacy.digit_strings import digit_attack
from llmsynth_eval.privacy.distances import MIN_ROWS, Budget, Distances, measure_distances
from llmsynth_eval.privacy.evidence import Evidence, Finding
from llmsynth_eval.privacy.membership import density_attack, distance_attack
from llmsynth_eval.privacy.nndr import nndr
from llmsynth_eval.privacy.row_keys import salt

MARGIN = 0.02
QUESTION = "Is the table as a whole nearer to the training rows than to unseen ones?"


@dataclass(frozen=True, kw_only=True)
class Closeness:
    """DCR share, its tail and outliers, NNDR and three membership attacks on one search.

    The headline weighs the DCR share, the share near outliers and the three AUCs: it is an
    alarm when one of them is above .5 beyond the margin and its p-value is below the level
    over the number of tests. One copied row in a hundred moves each by about .005 only, which
    is why copies have tests of their own.
    """

    name: ClassVar[str] = "closeness"
    goal: ClassVar[Goal] = "half"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    budget: Budget = field(default_factory=Budget)
    level: float = LEVEL
    """Level of the headline `closeness`, shared by its tests."""
    margin: float = MARGIN
    """Shares and AUCs of at most .5 plus this raise no alarm."""

    def compute(self, comparison: Comparison) -> Measurement:
        tables = (comparison.train, comparison.synthetic, comparison.holdout)
        if min(table.num_rows for table in tables) < MIN_ROWS:
            return _too_few()
        distances = measure_distances(comparison, self.budget)
        findings = _findings(distances, comparison.seed)
        measured = [finding.measurement for finding in findings]
        evidence = [e for finding in findings for e in finding.evidence]
        return Measurement(
            figures=tuple(f for m in measured for f in m.figures),
            tables=tuple(t for m in measured for t in m.tables),
            curves=tuple(c for m in measured for c in m.curves),
            counts={key: n for m in measured for key, n in m.counts.items()},
            headlines=(_headline(evidence, level=self.level, margin=self.margin),),
            notes=(*_notes(comparison, distances), *(n for m in measured for n in m.notes)),
        )


def _findings(distances: Distances, seed: int) -> list[Finding]:
    def rng(name: str) -> np.random.Generator:
        return np.random.default_rng(int(salt(seed, name)))

    return [
        dcr_share(distances, rng("dcr_share")),
        tail_ratio(distances, rng("tail_ratio")),
        nndr(distances, rng("nndr")),
        distance_attack(distances),
        density_attack(distances),
        digit_attack(distances),
    ]


def _headline(evidence: Sequence[Evidence], *, level: float, margin: float) -> Headline:
    each = level / len(evidence)
    harmful = [e for e in evidence if e.p_value < each and e.effect > margin]
    told = min(harmful or evidence, key=lambda e: (e.p_value, -e.effect))
    if harmful:
        verdict = f"more than the margin of {margin:g} above .5, and beyond chance"
    elif told.p_value < each:
        verdict = f"beyond chance, but within the margin of {margin:g}"
    else:
        verdict = "no more than chance explains"
    return Headline(
        name="closeness",
        topic="privacy",
        question=QUESTION,
        answer="alarm" if harmful else "good",
        words=f"The strongest of {len(evidence)} tests, {told.name.lower()}, reaches "
        f"{0.5 + told.effect:.3f} where .5 is no knowledge: {verdict}.",
        p_value=min(1.0, told.p_value * len(evidence)),
        level=level,
        effect=told.effect,
        margin=margin,
    )


def _notes(comparison: Comparison, distances: Distances) -> tuple[str, ...]:
    given = (comparison.train, comparison.holdout, comparison.synthetic)
    used = (distances.train, distances.holdout, distances.synthetic)
    if all(a.num_rows == b.num_rows for a, b in zip(given, used, strict=True)):
        return ()
    return (
        f"Distances, NNDR and membership use {used[0].num_rows:,} of {given[0].num_rows:,} train, "
        f"{used[1].num_rows:,} of {given[1].num_rows:,} holdout and {used[2].num_rows:,} of "
        f"{given[2].num_rows:,} synthetic rows, drawn by seed {comparison.seed}; copies are "
        "counted on all rows.",
    )


def _too_few() -> Measurement:
    words = f"Distances need {MIN_ROWS} rows or more of each table."
    figure = Figure(
        name="dcr_share",
        title="DCR share",
        value=None,
        goal="half",
        meaning="Share of synthetic rows nearer to a train row than to an unseen real row.",
    )
    headline = Headline(
        name="closeness",
        topic="privacy",
        question=QUESTION,
        answer="not measured",
        words=words,
    )
    return Measurement(figures=(figure,), headlines=(headline,), notes=(words,))
