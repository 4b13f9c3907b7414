"""The headline `target`: has the relation of the target to the other columns survived?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.stats import t as student

from llmsynth_eval.cells import Floats
from llmsynth_eval.details import DetailTable
from llmsynth_eval.figure import Figure, Goal, Interval
from llmsynth_eval.headline import Answer, Headline
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.utility.equivalence import DEFAULT_MARGIN, check_margin
from llmsynth_eval.utility.exchange_test import PARTS, exchange_p_value
from llmsynth_eval.utility.importance import agreement, agreement_within
from llmsynth_eval.utility.part_learners import Lessons, teach
from llmsynth_eval.utility.task import target_tasks

LEVEL = 0.01
QUESTION = "Can the target still be predicted from the other columns as well as from real rows?"


@dataclass(frozen=True, kw_only=True)
class TargetRelation:
    """Small learners of equally many rows, eight taught by each table, asked the same holdout.

    The figure is the share of the target that they explain: 1 less the Brier score over that of
    the class shares, or R2 for a number. The parts are disjoint, and class weights give every
    part the holdout's class shares, so a balanced synthetic table is not blamed for its balance.
    If synthetic rows were fresh real rows, the sixteen learners could be exchanged: the test is
    the exact permutation test over them, which takes the luck of the training rows into account,
    and alarms at no more than 1%. An alarm also needs a loss above `margin`.

    A proper score is used because a ranking (AUC) hardly feels flipped labels. Classes that the
    synthetic table lacks are left out here; that loss is for the headline `coverage`.
    """

    margin: float = DEFAULT_MARGIN
    """Loss of explained share that raises no alarm, 0 to 1."""

    name: ClassVar[str] = "target"
    goal: ClassVar[Goal] = "higher"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __post_init__(self) -> None:
        check_margin(self.margin)

    def compute(self, comparison: Comparison) -> Measurement:
        if comparison.target is None:
            return Measurement(headlines=(_unmeasured("no target was named."),))
        tasks = target_tasks(comparison)
        if isinstance(tasks, str):
            return _left_out(tasks)
        lessons, notes = teach(tasks, seed=comparison.seed)
        if lessons is None:
            return _left_out(notes[-1])
        real, synthetic = lessons.explained(lessons.real), lessons.explained(lessons.synthetic)
        headline = _headline(real, synthetic, margin=self.margin)
        figure = _explained_figure(real, synthetic)
        figures, tables, found = _importance(lessons, seed=comparison.seed)
        return Measurement(
            figures=(figure, *figures),
            tables=tables,
            headlines=(headline,),
            notes=(*notes, *found),
        )


def _headline(real: Floats, synthetic: Floats, *, margin: float) -> Headline:
    loss = float(real.mean() - synthetic.mean())
    shown = (
        f"{100 * synthetic.mean():.1f}% of the target explained, "
        f"{100 * real.mean():.1f}% by as many real rows"
    )
    if real.mean() <= margin:
        return _unmeasured(f"real rows explain hardly any of the target either ({shown}).")
    p_value = exchange_p_value(real, synthetic)
    if p_value <= LEVEL and loss > margin:
        answer: Answer = "alarm"
        words = f"Synthetic rows teach the target worse than real rows: {shown}."
    else:
        answer = "good"
        words = f"Synthetic rows teach the target no worse than real rows: {shown}."
        if p_value <= LEVEL:
            words = (
                f"Synthetic rows teach the target a little worse than real rows, within the "
                f"margin of {100 * margin:g} points: {shown}."
            )
        elif loss > margin:
            words = (
                f"Synthetic rows teach the target worse than real rows, but no more than chance "
                f"can do with so few rows: {shown}."
            )
    return Headline(
        name="target",
        topic="utility",
        question=QUESTION,
        answer=answer,
        words=words,
        p_value=p_value,
        level=LEVEL,
        effect=loss,
        margin=margin,
    )


def _left_out(problem: str) -> Measurement:
    return Measurement(
        headlines=(_unmeasured(problem),), notes=(f"Target relation was left out: {problem}",)
    )


def _unmeasured(problem: str) -> Headline:
    return Headline(
        name="target",
        topic="utility",
        question=QUESTION,
        answer="not measured",
        words=f"Not measured: {problem}",
    )


def _explained_figure(real: Floats, synthetic: Floats) -> Figure:
    return Figure(
        name="target_explained",
        title="Explained share of the target",
        value=float(synthetic.mean()),
        interval=_mean_interval(synthetic),
        floor=float(real.mean()),
        floor_interval=_mean_interval(real),
        goal="higher",
        meaning=f"Share of the target that {PARTS} small learners explain on real rows (1 less "
        "their Brier score over that of the class shares, or R2), taught by synthetic rows; the "
        "floor is the same taught by as many train rows.",
    )


def _mean_interval(values: Floats) -> Interval:
    half = float(student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return float(values.mean()) - half, float(values.mean()) + half


def _importance(
    lessons: Lessons, *, seed: int
) -> tuple[tuple[Figure, ...], tuple[DetailTable, ...], tuple[str, ...]]:
    columns = lessons.tasks.columns
    if len(columns) < 3:
        return (), (), ("Importance agreement needs three columns beside the target.",)
    real, synthetic = (
        lessons.importances(models, seed=seed) for models in (lessons.real, lessons.synthetic)
    )
    value, error = agreement(real, synthetic, seed=seed)
    floor, floor_error = agreement_within(real, seed=seed)
    figure = Figure(
        name="importance_agreement",
        title="Agreement on important columns",
        value=value,
        interval=_cut(value, error),
        floor=floor,
        floor_interval=_cut(floor, floor_error),
        goal="higher",
        meaning="Rank correlation of permutation importances between learners taught by "
        "synthetic and by train rows; the floor is between two halves of the learners taught by "
        "train. The interval is the spread over random halves of the learners.",
    )
    return (figure,), (_importance_table(lessons, real, synthetic),), ()


def _cut(value: float, error: float) -> Interval:
    return max(-1.0, value - 1.96 * error), min(1.0, value + 1.96 * error)


def _importance_table(lessons: Lessons, real: Floats, synthetic: Floats) -> DetailTable:
    names = [column.name for column in lessons.tasks.columns]
    means = zip(names, real.mean(axis=0), synthetic.mean(axis=0), strict=True)
    rows = sorted(
        ((name, float(r), float(s), float(s - r)) for name, r, s in means),
        key=lambda row: (-abs(row[3]), row[0]),
    )
    return DetailTable(
        name="feature_importance",
        title="What the target is predicted from",
        columns=("Column", "Taught by train", "Taught by synthetic", "Difference"),
        rows=tuple(rows),
        meaning="Explained share that is lost on real rows when the column is shuffled. Columns "
        "that say the same (education and its number) share their importance between them.",
    )
