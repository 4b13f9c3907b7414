"""TSTR and TRTR: how well a learner taught by each table predicts the target of real rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from sklearn.metrics import r2_score

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedColumn
from llmsynth_eval.figure import Figure, Goal
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.utility.label_scores import Score, auprc, binary_auc, bootstrapped, macro_auc
from llmsynth_eval.utility.learner import class_probabilities, predictions
from llmsynth_eval.utility.task import Task, problem_of, task_of

WORDS = {
    "auc": ("AUC", "Ranking quality"),
    "auprc": ("AUPRC", "Average precision for the rarer class"),
    "r2": ("R2", "Explained variance"),
}


@dataclass(frozen=True, kw_only=True)
class Exam:
    """What every learner is asked, whichever table taught it."""

    train: Task
    holdout: Task
    features: list[CodedColumn]
    labels: Floats
    """Distinct target values of train and holdout, ascending."""
    seed: int


class Tstr:
    """Train on synthetic, test on real (TSTR), beside train on real, test on real (TRTR).

    The target decides the score: two values give AUC and AUPRC (the class rarer in train is
    positive), more categories the macro one-vs-rest AUC, numbers R2. A learner that saw one
    class only scores every row alike.

    Source: Esteban, Hyland and Rätsch (2017), arXiv:1706.02633, section 4.
    """

    name: ClassVar[str] = "tstr"
    goal: ClassVar[Goal] = "higher"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison) -> Measurement:
        if comparison.target is None:
            return Measurement()
        number = comparison.train.index(comparison.target)
        columns = comparison.train.columns
        numbers = [n for n in range(len(columns)) if n != number]
        features = [columns[n] for n in numbers]
        tables = (comparison.synthetic, comparison.train, comparison.holdout)
        synthetic, train, holdout = (task_of(table, number, numbers) for table in tables)
        labels = np.unique(np.concatenate([train.target, holdout.target]))
        problem = problem_of(features, columns[number], labels, train=train, holdout=holdout)
        if problem:
            return Measurement(notes=(f"TSTR was left out: {problem}",))
        exam = Exam(
            train=train, holdout=holdout, features=features, labels=labels, seed=comparison.seed
        )
        score = _regression if columns[number].is_numeric and len(labels) > 2 else _classification
        scores, notes = {}, []
        for kind, task in (("tstr", synthetic), ("trtr", train)):
            scores[kind], found = score(task, exam)
            notes += [f"{kind.upper()}: {note}" for note in found]
        return Measurement(figures=tuple(_figures(scores)), notes=tuple(notes))


def _classification(task: Task, exam: Exam) -> tuple[dict[str, Score], list[str]]:
    probabilities, notes = _probabilities(task, exam)
    truth, labels = exam.holdout.target, exam.labels
    if len(labels) > 2:
        present = np.isin(labels, truth)
        score = macro_auc(truth, labels[present], probabilities[:, present], seed=exam.seed)
        return {"auc": score}, notes
    rarer = int(np.argmin([(exam.train.target == label).sum() for label in labels]))
    scores, positive = probabilities[:, rarer], float(labels[rarer])
    return {
        "auc": binary_auc(truth, positive, scores),
        "auprc": auprc(truth, positive, scores, seed=exam.seed),
    }, notes


def _probabilities(task: Task, exam: Exam) -> tuple[Floats, list[str]]:
    """Class probabilities of the holdout rows, shape (rows, labels); unseen labels have 0."""
    holdout, labels, notes = exam.holdout, exam.labels, []
    values, sizes = np.unique(task.target, return_counts=True)
    # one row of a class cannot be split into the learner's own fit and stopping halves
    kept = np.isin(task.target, values[sizes >= 2])
    unseen = int((~np.isin(labels, task.target[kept])).sum())
    if unseen:
        notes.append(f"{unseen} of {len(labels)} classes have fewer than two rows to learn from.")
    out = np.zeros((len(holdout.target), len(labels)))
    if len(np.unique(task.target[kept])) < 2:
        notes.append("there is one class to learn from, so every row scores alike and AUC is .5.")
        return out, notes
    classes, probabilities = class_probabilities(
        exam.features,
        fit_cells=task.features[kept],
        labels=task.target[kept],
        score_cells=holdout.features,
        seed=exam.seed,
    )
    known = np.isin(classes, labels)
    out[:, np.searchsorted(labels, classes[known])] = probabilities[:, known]
    return out, notes


def _regression(task: Task, exam: Exam) -> tuple[dict[str, Score], list[str]]:
    holdout, notes = exam.holdout, []
    if len(task.target) < 2:
        notes.append("fewer than two rows have a target, so the train mean is predicted.")
        task = Task(features=exam.train.features[:1], target=exam.train.target.mean(keepdims=True))
    predicted = predictions(
        exam.features,
        fit_cells=task.features,
        values=task.target,
        score_cells=holdout.features,
        seed=exam.seed,
    )

    def score(weights: Floats) -> float:
        return float(r2_score(holdout.target, predicted, sample_weight=weights))

    varied = [holdout.target == label for label in np.unique(holdout.target)[:1]]
    found = bootstrapped(score, len(predicted), labels=varied, low=-np.inf, seed=exam.seed)
    return {"r2": found}, notes


def _figures(scores: dict[str, dict[str, Score]]) -> list[Figure]:
    figures = []
    for kind, (title, meaning) in WORDS.items():
        if kind not in scores["tstr"]:
            continue
        floor = scores["trtr"][kind]
        for name, source in (("tstr", "synthetic"), ("trtr", "train")):
            value, interval = scores[name][kind]
            is_synthetic = name == "tstr"
            figures.append(
                Figure(
                    name=f"{name}_{kind}",
                    title=f"{name.upper()} {title}",
                    value=value,
                    interval=interval,
                    floor=floor[0] if is_synthetic else None,
                    floor_interval=floor[1] if is_synthetic else None,
                    goal="higher" if is_synthetic else "reference",
                    meaning=f"{meaning} on real rows of a learner taught by {source} rows.",
                )
            )
    return figures
