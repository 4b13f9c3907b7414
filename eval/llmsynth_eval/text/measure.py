"""The measurement of one text column: its form, diversity, copies, content and personal strings."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from llmsynth_eval.metric import Measurement
from llmsynth_eval.text.agreement import measure_agreement
from llmsynth_eval.text.copies import measure_copies
from llmsynth_eval.text.diversity import measure_diversity
from llmsynth_eval.text.embedders import Embedder
from llmsynth_eval.text.embedding_distance import measure_embeddings
from llmsynth_eval.text.form import measure_form
from llmsynth_eval.text.personal_strings import measure_personal_strings
from llmsynth_eval.text.pooled_texts import pool
from llmsynth_eval.text.text_comparison import MAX_TEXTS, ROLES, Role, TextComparison


def measure_text(
    train: pd.DataFrame,
    synthetic: pd.DataFrame,
    holdout: pd.DataFrame,
    *,
    column: str,
    label: str | None = None,
    seed: int = 0,
    with_embedder: Embedder | None = None,
    max_texts: int = MAX_TEXTS,
) -> Measurement:
    """Measure one text column of a synthetic table against train, beside the holdout.

    The headlines `text_form`, `text_copies`, `text_near_copies` and `text_content` are tests at
    1% each of "the synthetic rows are fresh real rows".

    Args:
        label: the column to learn from the text and back; every other column that is not text is
            held against the text as well.
        with_embedder: for C2ST and the divergence, e.g. `MiniLm()`; default hashed words.
        max_texts: most texts of a table; a note says when fewer than all were taken.

    Raises:
        TableError: a table lacks the column or its texts, or train and holdout are the same.
        SettingsError: the label is the text column.
    """
    comparison = TextComparison(
        train=train,
        synthetic=synthetic,
        holdout=holdout,
        column=column,
        label=label,
        seed=seed,
        embedder=with_embedder,
        max_texts=max_texts,
    )
    pooled = pool(comparison)
    found = (
        measure_form(comparison, pooled),
        measure_diversity(comparison),
        measure_copies(pooled, seed=seed),
        measure_embeddings(comparison),
        measure_agreement(comparison),
        measure_personal_strings(comparison),
    )
    given: dict[Role, pd.DataFrame] = {
        "train": train,
        "synthetic": synthetic,
        "holdout": holdout,
    }
    return Measurement(
        figures=tuple(figure for part in found for figure in part.figures),
        tables=tuple(table for part in found for table in part.tables),
        curves=tuple(curve for part in found for curve in part.curves),
        headlines=tuple(headline for part in found for headline in part.headlines),
        counts={name: count for part in found for name, count in part.counts.items()},
        notes=(*_row_notes(comparison, given), *(note for part in found for note in part.notes)),
    )


def _row_notes(comparison: TextComparison, given: Mapping[Role, pd.DataFrame]) -> list[str]:
    notes = []
    for role in ROLES:
        rows, texts = len(given[role]), int(given[role][comparison.column].notna().sum())
        if texts < rows:
            notes.append(f"{rows - texts:,} of {rows:,} {role} rows have no text; left out.")
        if texts > comparison.max_texts:
            notes.append(
                f"Of {texts:,} {role} texts {comparison.max_texts:,} are measured, drawn by seed "
                f"{comparison.seed}: copies of the others are not seen."
            )
    return notes
