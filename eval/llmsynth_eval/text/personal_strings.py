"""Personal strings: e-mails, phones, long numbers, dates and names that come from train texts."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from llmsynth_eval.details import DetailTable
from llmsynth_eval.figure import Figure
from llmsynth_eval.intervals import paired_difference
from llmsynth_eval.metric import Measurement
from llmsynth_eval.text.text_comparison import ROLES, TextComparison

MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
PATTERNS = {
    "e-mail address": re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    "phone number": re.compile(
        r"(?<![\w-])(?:\+\d{1,3}[ .-]?)?"
        r"(?:\(\d{2,4}\)[ .-]?|\d{2,4}[ .-])\d{3,4}[ .-]?\d{3,4}(?![\w-])"
    ),
    "long number": re.compile(r"(?<!\w)\d{6,}(?!\w)"),
    "full date": re.compile(
        r"(?<!\d)(?:\d{1,2}[/.-]\d{1,2}[/.-](?:\d{4}|\d{2})|\d{4}-\d{1,2}-\d{1,2})(?!\d)"
        rf"|\b{MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}\b|\b\d{{1,2}} {MONTH},? \d{{4}}\b",
        re.IGNORECASE,
    ),
    "name": re.compile(
        r"\b(?:Dr|Mr|Mrs|Ms|Miss|Prof|Sir|Madam)\.? (?:[A-Z]\.? )?[A-Z][\w'-]+(?: [A-Z][\w'-]+)?"
        r"|(?<=[a-z,;:] )[A-Z][a-z]+ [A-Z][a-z]+(?! [A-Z])"
    ),
}

KindCounts = tuple[str, int, int, int, int]


def personal_strings(text: str) -> dict[str, set[str]]:
    """The personal strings of one text by kind, spelled without signs and in small letters.

    Kinds are patterns, not understanding: a name is a title with a name, or two capitalised words
    within a sentence, so drug and place names count as names.
    """
    return {
        kind: {_plain(found.group()) for found in pattern.finditer(text)}
        for kind, pattern in PATTERNS.items()
    }


def measure_personal_strings(comparison: TextComparison) -> Measurement:
    """Distinct personal strings of synthetic texts found in train and not in the holdout."""
    found = {role: _collected(comparison.texts(role)) for role in ROLES}
    rows: list[KindCounts] = []
    for kind in PATTERNS:
        mine, train, holdout = (found[r][kind] for r in ("synthetic", "train", "holdout"))
        only_train, only_holdout = len((mine & train) - holdout), len((mine & holdout) - train)
        rows.append((kind, len(mine), only_train, only_holdout, len(mine & train)))
    replayed, elsewhere = sum(row[2] for row in rows), sum(row[3] for row in rows)
    total = sum(row[1] for row in rows)
    figure = Figure(
        name="text_personal_strings",
        title="Personal strings replayed",
        value=(replayed - elsewhere) / total if total else None,
        interval=paired_difference(replayed, elsewhere, total) if total else None,
        floor=0.0 if total else None,
        goal="lower",
        meaning=(
            "Share of synthetic e-mails, phones, numbers, dates and names that only train holds, "
            "less those that only the holdout holds."
        ),
    )
    notes = [] if total else ["No synthetic text holds a personal string of a known pattern."]
    sizes = [len(comparison.frame(role)) for role in ("train", "holdout")]
    if abs(np.log(sizes[0] / sizes[1])) > np.log(1.01):
        notes.append(
            f"Train has {sizes[0]:,} texts and the holdout {sizes[1]:,}, so chance alone finds "
            "unequally many personal strings in them."
        )
    return Measurement(figures=(figure,), tables=(_table(rows),), notes=tuple(notes))


def _collected(texts: Sequence[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {kind: set() for kind in PATTERNS}
    for text in texts:
        for kind, strings in personal_strings(text).items():
            found[kind] |= strings
    return found


def _plain(string: str) -> str:
    if "@" in string:
        return string.casefold()
    return " ".join(re.findall(r"\w+", string.casefold()))


def _table(rows: Sequence[KindCounts]) -> DetailTable:
    worst_first: list[KindCounts] = sorted(rows, key=lambda row: (row[3] - row[2], row[0]))
    return DetailTable(
        name="text_personal_strings",
        title="Personal strings in synthetic texts",
        columns=("kind", "distinct", "in train only", "in holdout only", "in train"),
        rows=tuple(worst_first),
        meaning=(
            "Good: as many in train only as in the holdout only. Strings are found by pattern: "
            "what has no pattern (a rare illness, a place) is not seen."
        ),
    )
