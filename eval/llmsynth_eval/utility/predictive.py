"""TSTR beside TRTR and train-on-both, for several learners and seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from llmsynth_eval.bootstrap import resample_weights
from llmsynth_eval.cells import Floats
from llmsynth_eval.details import Cell, Curve, DetailTable
from llmsynth_eval.figure import Figure, Goal
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.utility.equivalence import (
    DEFAULT_MARGIN,
    Equivalence,
    Spread,
    check_margin,
    equivalence,
)
from llmsynth_eval.utility.exam import MAIN, SCORES, Exam, Marks
from llmsynth_eval.utility.learners import LEARNERS, TITLES, LearnerName
from llmsynth_eval.utility.prediction_curves import calibration_curve, roc_curves
from llmsynth_eval.utility.row_scores import deviation, interval
from llmsynth_eval.utility.task import TargetTasks, Task, target_tasks

FIT_ROWS = 50_000
EXAM_ROWS = 50_000
RESAMPLES = 100
NUM_SEEDS = 3
NUM_QUARTERS = 4
TAUGHT_BY = {"synthetic": "synthetic", "train": "train", "both": "train and synthetic"}
Results = Mapping[tuple[LearnerName, str], Marks]


@dataclass(frozen=True, kw_only=True)
class Predictive:
    """How well learners taught by synthetic rows, by train, and by both predict the holdout.

    Every learner is taught `num_seeds` times and its scores are averaged. Intervals are 95%:
    1.96 standard deviations over 100 bootstrap resamples of the holdout, the same ones for every
    learner. The floor of a TSTR figure, and of a train-on-both figure, is TRTR.

    The equivalence test (TOST) of AUROC, macro F1 and Brier score, or of R2, adds the luck of
    the training rows to that of the holdout: the variance of the score over learners taught by
    disjoint quarters of a table, divided by four, stands for that of the whole table.

    Source: Esteban, Hyland and Rätsch (2017), arXiv:1706.02633, section 4.
    """

    margin: float = DEFAULT_MARGIN
    """Differences that do not matter in the equivalence test, 0 to 1."""
    learners: tuple[LearnerName, ...] = LEARNERS
    num_seeds: int = NUM_SEEDS

    name: ClassVar[str] = "predictive"
    goal: ClassVar[Goal] = "higher"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __post_init__(self) -> None:
        check_margin(self.margin)

    def compute(self, comparison: Comparison) -> Measurement:
        if comparison.target is None:
            return Measurement()
        tasks = target_tasks(comparison)
        if isinstance(tasks, str):
            return Measurement(notes=(f"Predictive utility was left out: {tasks}",))
        if tasks.synthetic.num_rows < 2:
            problem = "the synthetic table needs two rows with a target."
            return Measurement(notes=(f"Predictive utility was left out: {problem}",))
        exam, sources, notes = _sampled(tasks, seed=comparison.seed)
        results: dict[tuple[LearnerName, str], Marks] = {}
        for learner in self.learners:
            for source, task in sources.items():
                results[learner, source] = exam.marks(learner, task, num_seeds=self.num_seeds)
        tests = self._tests(exam, sources, results)
        return Measurement(
            figures=tuple(_figures(results, tasks)),
            tables=tuple(_tables(results, tests, tasks)),
            curves=tuple(_curves(results, tasks, exam)),
            notes=(*notes, *_unseen(sources, tasks), *_verdicts(tests)),
        )

    def _tests(
        self, exam: Exam, sources: Mapping[str, Task], results: Results
    ) -> dict[tuple[LearnerName, str], Equivalence]:
        tests = {}
        for learner in self.learners:
            spreads = [_training_spread(exam, learner, sources[s]) for s in ("synthetic", "train")]
            synthetic, real = (results[learner, s].scores for s in ("synthetic", "train"))
            for score in ("r2",) if exam.tasks.is_number else ("auroc", "macro_f1", "brier"):
                sign = -1.0 if SCORES[score].goal == "lower" else 1.0
                differences = sign * (synthetic[score] - real[score])
                error = deviation(differences)
                parts = [spread.get(score) for spread in spreads]
                known = [part for part in parts if part is not None]
                if error is None or len(known) < len(parts) or not np.isfinite(differences[0]):
                    continue
                holdout = Spread(variance=error**2, degrees=max(1, exam.tasks.holdout.num_rows - 1))
                tests[learner, score] = equivalence(
                    float(differences[0]), [holdout, *known], margin=self.margin
                )
        return tests


def _sampled(tasks: TargetTasks, *, seed: int) -> tuple[Exam, dict[str, Task], list[str]]:
    rng = np.random.default_rng((seed, 8))
    train, synthetic = (t.sample(FIT_ROWS, rng) for t in (tasks.train, tasks.synthetic))
    asked = replace(tasks, holdout=tasks.holdout.sample(EXAM_ROWS, rng))
    notes = [
        f"Predictive utility uses {most:,} of {task.num_rows:,} {role} rows, drawn by seed {seed}."
        for role, task, most in (
            ("train", tasks.train, FIT_ROWS),
            ("synthetic", tasks.synthetic, FIT_ROWS),
            ("holdout", tasks.holdout, EXAM_ROWS),
        )
        if task.num_rows > most
    ]
    both = Task(
        features=np.concatenate([train.features, synthetic.features]),
        target=np.concatenate([train.target, synthetic.target]),
    )
    weights = resample_weights(
        asked.holdout.num_rows, np.random.default_rng((seed, 9)), resamples=RESAMPLES
    )
    exam = Exam(tasks=asked, weights=weights, seed=seed)
    return exam, {"synthetic": synthetic, "train": train, "both": both}, notes


def _training_spread(exam: Exam, learner: LearnerName, task: Task) -> dict[str, Spread]:
    """Variance of a whole table's scores from learners taught by its disjoint quarters."""
    order = np.random.default_rng((exam.seed, 10)).permutation(task.num_rows)
    estimate = replace(exam, weights=exam.weights[:1])
    marks = [
        estimate.marks(learner, task.take(np.sort(rows)), num_seeds=1).scores
        for rows in np.array_split(order, NUM_QUARTERS)
        if len(rows)
    ]
    out = {}
    for score in marks[0]:
        values = np.array([found[score][0] for found in marks])
        if len(values) == NUM_QUARTERS and np.isfinite(values).all():
            variance = float(values.var(ddof=1)) / NUM_QUARTERS
            out[score] = Spread(variance=variance, degrees=NUM_QUARTERS - 1)
    return out


def _figures(results: Results, tasks: TargetTasks) -> list[Figure]:
    figures = []
    for (learner, source), marks in results.items():
        if source == "train":
            continue
        kind, title = ("tstr", "TSTR") if source == "synthetic" else ("both", "Train on both")
        floors = results[learner, "train"].scores
        for score in _shown(learner, source, is_number=tasks.is_number):
            about = SCORES[score]
            figures.append(
                Figure(
                    name=f"{kind}_{score}_{learner}",
                    title=f"{title} {about.title}, {TITLES[learner]}",
                    value=_number(marks.scores[score]),
                    interval=interval(marks.scores[score], low=about.low, high=about.high),
                    floor=_number(floors[score]),
                    floor_interval=interval(floors[score], low=about.low, high=about.high),
                    goal=about.goal,
                    meaning=f"{about.meaning} on real rows of a learner taught by "
                    f"{TAUGHT_BY[source]} rows; the floor is taught by train.",
                )
            )
    return figures


def _shown(learner: LearnerName, source: str, *, is_number: bool) -> tuple[str, ...]:
    """Scores that become figures; all are in the table of scores."""
    main = MAIN["number" if is_number else "classes"]
    return main if (learner, source) == ("boosting", "synthetic") else main[:1]


def _number(replicates: Floats) -> float | None:
    return float(replicates[0]) if np.isfinite(replicates[0]) else None


def _tables(
    results: Results,
    tests: Mapping[tuple[LearnerName, str], Equivalence],
    tasks: TargetTasks,
) -> list[DetailTable]:
    tables = [_score_table(results)]
    if not tasks.is_number:
        tables.append(_class_table(results, tasks))
    if tests:
        tables.append(_equivalence_table(tests))
    return tables


def _score_table(results: Results) -> DetailTable:
    rows: list[tuple[Cell, ...]] = []
    for (learner, source), marks in results.items():
        for score, replicates in marks.scores.items():
            about = SCORES[score]
            found = interval(replicates, low=about.low, high=about.high) or (None, None)
            value, spread = _number(replicates), marks.seed_deviation[score]
            rows.append((TITLES[learner], TAUGHT_BY[source], about.title, value, *found, spread))
    return DetailTable(
        name="predictive_scores",
        title="Learners taught by each table, asked real rows",
        columns=("Learner", "Taught by", "Score", "Value", "Low", "High", "Spread over seeds"),
        rows=tuple(rows),
        meaning="Good is a synthetic table whose learner scores as one taught by train. Low and "
        "High are 95% over the holdout rows; the spread over seeds is one standard deviation.",
    )


def _class_table(results: Results, tasks: TargetTasks) -> DetailTable:
    rows: list[tuple[Cell, ...]] = []
    for learner in dict.fromkeys(learner for learner, _ in results):
        for number, label in enumerate(tasks.labels):
            scores = [_number(results[learner, s].class_f1[number]) for s in TAUGHT_BY]
            num_rows = int((tasks.holdout.target == label).sum())
            rows.append((tasks.label_text(label), TITLES[learner], num_rows, *scores))
    rows.sort(key=_loss_of_class)
    return DetailTable(
        name="class_f1",
        title="F1 of each class",
        columns=("Class", "Learner", "Holdout rows", "TSTR", "TRTR", "Train on both"),
        rows=tuple(rows),
        meaning="The most probable class is called. A class with few holdout rows moves by chance; "
        "an empty cell has none.",
    )


def _loss_of_class(row: tuple[Cell, ...]) -> tuple[float, str, str]:
    synthetic, real = row[3], row[4]
    known = isinstance(synthetic, float) and isinstance(real, float)
    return (synthetic - real if known else 1.0), str(row[0]), str(row[1])  # type: ignore[operator]


def _equivalence_table(tests: Mapping[tuple[LearnerName, str], Equivalence]) -> DetailTable:
    worst_first = sorted(tests.items(), key=lambda found: found[1].difference)
    rows = tuple(
        (
            f"{TITLES[learner]}, {SCORES[score].title}",
            test.difference,
            *test.interval,
            test.margin,
            test.p_value,
            test.verdict,
        )
        for (learner, score), test in worst_first
    )
    return DetailTable(
        name="equivalence",
        title="Do the synthetic rows serve as well as the real ones? (TOST)",
        columns=("Result", "TSTR less TRTR", "Low", "High", "Margin", "p-value", "Verdict"),
        rows=rows,
        meaning="Above 0 is better (the Brier score is turned round). Low and High are 90%; a "
        "result is equivalent when both lie within the margin, which is the test at 5%. 'Not "
        "shown' is no proof of harm: more rows narrow the interval.",
    )


def _curves(results: Results, tasks: TargetTasks, exam: Exam) -> list[Curve]:
    if tasks.is_number:
        return []
    learner = "boosting" if ("boosting", "train") in results else next(iter(results))[0]
    predicted = {source: results[learner, source].probabilities for source in TAUGHT_BY}
    titles = {"synthetic": "TSTR", "train": "TRTR", "both": "train on both"}
    shown = {titles[source]: p for source, p in predicted.items() if p is not None}
    curves = [calibration_curve(exam.truth, shown, learner=TITLES[learner])]
    if len(tasks.labels) == 2:
        curves.append(roc_curves(exam.truth, shown, exam.rarer, learner=TITLES[learner]))
    return curves


def _unseen(sources: Mapping[str, Task], tasks: TargetTasks) -> list[str]:
    if tasks.is_number:
        return []
    notes = []
    for role in ("synthetic", "train"):
        sizes = (sources[role].target[:, None] == tasks.labels).sum(axis=0)
        scarce = [tasks.label_text(label) for label in tasks.labels[sizes < 2]]
        if scarce:
            notes.append(
                f"Predictive utility: {role} holds fewer than two rows of {', '.join(scarce)}; "
                "they cannot be learned and are given no probability."
            )
    return notes


def _verdicts(tests: Mapping[tuple[LearnerName, str], Equivalence]) -> list[str]:
    """The headline scores' verdicts in words: AUROC or R2 of each learner."""
    return [
        f"{TITLES[learner].capitalize()}: {test.words(SCORES[score].title)}"
        for (learner, score), test in tests.items()
        if score in ("auroc", "r2")
    ]
