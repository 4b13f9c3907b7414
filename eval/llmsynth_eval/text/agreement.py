"""Text agreement: do texts say what the row's other columns say, and does a label transfer?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student_t

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import Codes
from llmsynth_eval.details import DetailTable
from llmsynth_eval.figure import Figure
from llmsynth_eval.headline import Headline
from llmsynth_eval.intervals import wilson
from llmsynth_eval.metric import Measurement
from llmsynth_eval.text.structured_columns import ClassColumn, structured_columns
from llmsynth_eval.text.text_comparison import Role, TextComparison
from llmsynth_eval.text.text_learner import class_probabilities, folded_probabilities

LEVEL = 0.01
WRONG_SHARE = 0.1
MAX_SURPRISE = 3.0
MIN_ROWS = 20


@dataclass(frozen=True, kw_only=True)
class ColumnAgreement:
    """How well a reader of real texts meets one column's cells, in real rows and synthetic ones."""

    name: str
    real_accuracy: float
    synthetic_accuracy: float
    real_rows: int
    synthetic_rows: int
    surprise: float
    """Mean surprise of synthetic cells less that of real ones, in the unit of `surprises`."""
    p_value: float


def measure_agreement(comparison: TextComparison) -> Measurement:
    """Agreement of text and every structured column, and TSTR of the label both ways."""
    columns, notes = structured_columns(comparison)
    usable = [column for column in columns if _smallest(column) >= MIN_ROWS]
    if len(usable) < len(columns):
        few = sorted({c.name for c in columns} - {c.name for c in usable})
        notes.append(f"Fewer than {MIN_ROWS} rows with text and a value: {', '.join(few)}.")
    if not usable:
        return Measurement(
            headlines=(_not_measured(),),
            notes=(*notes, "No structured column to hold the texts against."),
        )
    found = [_agreement(comparison, column) for column in usable]
    label = next((column for column in usable if column.name == comparison.label), None)
    return Measurement(
        figures=tuple(_label_figures(comparison, label, found)),
        tables=(_table(found),),
        headlines=(_headline(found),),
        notes=tuple(notes),
    )


def surprises(probabilities: Floats, labels: Codes, classes: Floats) -> Floats:
    """How much each label speaks for a wrong label at random, less what was to be expected.

    log(.9 + .1 q(y) / p(y | text)), cut at 3, less its mean under p: the likelihood ratio of
    "one label in ten is replaced by a draw from the class shares q". Its mean is 0 for labels
    that follow p, whichever texts there are, so other texts alone do not raise it.
    """
    odds = np.log((1 - WRONG_SHARE) + WRONG_SHARE * classes[None, :] / probabilities)
    odds = np.minimum(odds, MAX_SURPRISE)
    expected = (probabilities * odds).sum(axis=1)
    result: Floats = odds[np.arange(len(labels)), labels] - expected
    return result


def _smallest(column: ClassColumn) -> int:
    return min(int((codes >= 0).sum()) for codes in column.codes.values())


def _rows(comparison: TextComparison, column: ClassColumn, *roles: Role) -> tuple[list[str], Codes]:
    texts: list[str] = []
    codes: list[Codes] = []
    for role in roles:
        kept = column.codes[role] >= 0
        texts += [text for text, keep in zip(comparison.texts(role), kept, strict=True) if keep]
        codes.append(column.codes[role][kept])
    return texts, np.concatenate(codes)


def _agreement(comparison: TextComparison, column: ClassColumn) -> ColumnAgreement:
    """Models of real folds meet the real rows they have not seen, and the synthetic rows."""
    real, real_labels = _rows(comparison, column, "train", "holdout")
    synthetic, labels = _rows(comparison, column, "synthetic")
    mine, theirs = folded_probabilities(
        real, real_labels, synthetic, num_classes=column.num_classes, seed=comparison.seed
    )
    counts = np.bincount(real_labels, minlength=column.num_classes) + 1.0
    shares: Floats = (counts / counts.sum()).astype(np.float64)
    expected = surprises(mine, real_labels, shares)
    found = np.mean([surprises(model, labels, shares) for model in theirs], axis=0)
    return ColumnAgreement(
        name=column.name,
        real_accuracy=float((mine.argmax(axis=1) == real_labels).mean()),
        synthetic_accuracy=float((theirs.argmax(axis=2) == labels).mean()),
        real_rows=len(real_labels),
        synthetic_rows=len(labels),
        surprise=float(found.mean() - expected.mean()),
        p_value=_one_sided(found, expected),
    )


def _one_sided(found: Floats, expected: Floats) -> float:
    """Welch's test of a higher mean of `found`."""
    parts = [values.var(ddof=1) / len(values) for values in (found, expected)]
    total = sum(parts)
    if total <= 0:
        return 0.0 if found.mean() > expected.mean() else 1.0
    freedom = total**2 / sum(
        part**2 / (len(values) - 1) for part, values in zip(parts, (found, expected), strict=True)
    )
    return float(student_t.sf((found.mean() - expected.mean()) / np.sqrt(total), freedom))


def _label_figures(
    comparison: TextComparison, label: ClassColumn | None, found: list[ColumnAgreement]
) -> list[Figure]:
    mean = float(np.mean([column.synthetic_accuracy for column in found]))
    floor = float(np.mean([column.real_accuracy for column in found]))
    # Mean over columns; the rows of one column set the interval, as columns share their rows.
    rows, real = found[0].synthetic_rows, found[0].real_rows
    agreement = Figure(
        name="text_agreement",
        title="Text agrees with the row",
        value=mean,
        interval=wilson(mean * rows, rows),
        floor=floor,
        floor_interval=wilson(floor * real, real),
        goal="higher",
        meaning="How often a reader of real texts guesses the row's other columns from its text.",
    )
    if label is None:
        return [agreement]
    train, synthetic, holdout = (
        _rows(comparison, label, role) for role in ("train", "synthetic", "holdout")
    )
    trtr = _scores(train, holdout, label.num_classes)
    tstr = _scores(synthetic, holdout, label.num_classes)
    inverse = _scores(train, synthetic, label.num_classes)
    return [
        agreement,
        _accuracy_figure("text_tstr", "Text TSTR accuracy", tstr, trtr, TSTR_MEANING),
        _accuracy_figure("text_trts", "Text TRTS accuracy", inverse, trtr, TRTS_MEANING),
        _f1_figure(tstr, trtr, label.num_classes),
    ]


TSTR_MEANING = "Label learned from synthetic texts, guessed for holdout texts; floor: from train."
TRTS_MEANING = "Label learned from train texts, guessed for synthetic texts; floor: for holdout."
RESAMPLES = 200
Guesses = tuple[Codes, Codes]


def _scores(fit: tuple[list[str], Codes], test: tuple[list[str], Codes], classes: int) -> Guesses:
    """True and guessed labels of the test texts."""
    probabilities = class_probabilities(fit[0], fit[1], test[0], num_classes=classes)
    return test[1], probabilities.argmax(axis=1).astype(np.int64)


def _accuracy_figure(name: str, title: str, mine: Guesses, real: Guesses, meaning: str) -> Figure:
    hits, real_hits = mine[0] == mine[1], real[0] == real[1]
    return Figure(
        name=f"{name}_accuracy",
        title=title,
        value=float(hits.mean()),
        interval=wilson(int(hits.sum()), len(hits)),
        floor=float(real_hits.mean()),
        floor_interval=wilson(int(real_hits.sum()), len(real_hits)),
        goal="higher",
        meaning=meaning,
    )


def _f1_figure(mine: Guesses, real: Guesses, num_classes: int) -> Figure:
    values = [_f1_with_interval(guesses, num_classes) for guesses in (mine, real)]
    return Figure(
        name="text_tstr_macro_f1",
        title="Text TSTR macro-F1",
        value=values[0][0],
        interval=values[0][1],
        floor=values[1][0],
        floor_interval=values[1][1],
        goal="higher",
        meaning="As TSTR accuracy, every class of the holdout weighing the same.",
    )


def _f1_with_interval(guesses: Guesses, num_classes: int) -> tuple[float, tuple[float, float]]:
    value = macro_f1(*guesses, num_classes)
    rng = np.random.default_rng(0)
    size = len(guesses[0])
    drawn = [rng.integers(0, size, size) for _ in range(RESAMPLES)]
    scores = [macro_f1(guesses[0][rows], guesses[1][rows], num_classes) for rows in drawn]
    half = 1.959963984540054 * float(np.std(scores, ddof=1))
    return value, (max(0.0, value - half), min(1.0, value + half))


def macro_f1(truth: Codes, guess: Codes, num_classes: int) -> float:
    """Mean F1 of the classes that occur in `truth`."""
    cells = np.bincount(truth * num_classes + guess, minlength=num_classes**2)
    table = cells.reshape(num_classes, num_classes)
    hits, present = np.diag(table), table.sum(axis=1) > 0
    f1 = 2 * hits / np.maximum(table.sum(axis=0) + table.sum(axis=1), 1)
    return float(f1[present].mean())


def _table(found: list[ColumnAgreement]) -> DetailTable:
    return DetailTable(
        name="text_agreement",
        title="What the texts say of the other columns",
        columns=("column", "synthetic accuracy", "real accuracy", "surprise", "p"),
        rows=tuple(
            (c.name, c.synthetic_accuracy, c.real_accuracy, c.surprise, c.p_value)
            for c in sorted(found, key=lambda column: column.p_value)
        ),
        meaning=(
            "A learner reads real texts and guesses each column, for real rows it has not seen "
            "and for synthetic rows. Good: both accuracies alike and a surprise near 0. It cannot "
            "see a contradiction that no single word hints at."
        ),
    )


def _headline(found: list[ColumnAgreement]) -> Headline:
    level = LEVEL / len(found)
    worst = min(found, key=lambda column: column.p_value)
    return Headline(
        name="text_content",
        topic="text",
        question="Do the texts say what the row's other columns say?",
        answer="alarm" if worst.p_value <= level else "good",
        words=(
            f"Read by a learner of real texts, {worst.name} is guessed right in "
            f"{100 * worst.synthetic_accuracy:.1f}% of synthetic rows and "
            f"{100 * worst.real_accuracy:.1f}% of real ones; contradictions beyond those of real "
            f"rows: p = {worst.p_value:.2g} against a level of {level:.4f}."
        ),
        p_value=worst.p_value,
        level=level,
        effect=worst.surprise,
    )


def _not_measured() -> Headline:
    return Headline(
        name="text_content",
        topic="text",
        question="Do the texts say what the row's other columns say?",
        answer="not measured",
        words="There is no structured column to hold the texts against.",
    )
