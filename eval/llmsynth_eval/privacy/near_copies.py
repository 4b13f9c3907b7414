"""Near copies as a test: train rows that came out with a cell or two changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedTable
from llmsynth_eval.details import DetailTable
from llmsynth_eval.figure import Figure, Goal
from llmsynth_eval.headline import Headline
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.privacy.copy_test import LEVEL, MOST_LISTED
from llmsynth_eval.privacy.excess import Excess, excess_figures
from llmsynth_eval.privacy.row_keys import (
    canonical_positions,
    canonical_rows,
    row_keys,
    row_label,
)
from llmsynth_eval.privacy.twins import Twins, code_cells, nearest_twins, num_changed

RARITIES = (0.0, 0.99, 0.999)
MOST_ROWS = 150_000


@dataclass(frozen=True, kw_only=True)
class NearCopies:
    """Share of real rows with a near twin in the synthetic table, train less holdout.

    A near twin differs in one or two cells (in fewer where there are fewer than six columns)
    and is closer than real rows come to each other: the summed surprise of the shared cells
    lies above what 99% of real rows share with their own nearest twin among the real rows.
    Rows that are copied exactly take no part. The test looks at three bars (no bar, 99% and
    99.9% of real rows) and corrects for the three looks.
    """

    name: ClassVar[str] = "near_copy_excess"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    level: float = LEVEL
    """Level of the headline `near_copies`."""
    most_rows: int = MOST_ROWS
    """Most rows of each table; larger tables are sampled by the seed, and a note says so."""

    def compute(self, comparison: Comparison) -> Measurement:
        if not num_changed(len(comparison.train.columns)):
            return _too_narrow(len(comparison.train.columns))
        parts = [
            _sample(getattr(comparison, role), self.most_rows, comparison.seed, role)
            for role in ("train", "holdout", "synthetic")
        ]
        train, holdout, synthetic = parts
        twins, bars = _search(train, holdout, synthetic)
        looks = [_excess(twins.scores > bar, train.num_rows, holdout.num_rows) for bar in bars]
        p_value = min(1.0, len(looks) * min(look.p_value for look in looks))
        notes = _notes(comparison, parts, self.most_rows)
        return Measurement(
            figures=_figures(looks[1]),
            tables=(_looks_table(looks), *_listing(train, twins, bars[1])),
            headlines=(_headline(looks[1], p_value, self.level),),
            counts={
                "train rows with a near twin in synthetic": looks[1].train_hits,
                "holdout rows with a near twin in synthetic": looks[1].holdout_hits,
            },
            notes=notes,
        )


def _sample(table: CodedTable, most: int, seed: int, role: str) -> CodedTable:
    return canonical_rows(table, canonical_positions(table, most=most, seed=seed, role=role))


def _search(
    train: CodedTable, holdout: CodedTable, synthetic: CodedTable
) -> tuple[Twins, tuple[float, ...]]:
    """Twins of the train rows, then the holdout rows; and the bars their scores must pass."""
    pool = CodedTable(columns=train.columns, cells=np.concatenate([train.cells, holdout.cells]))
    codes = code_cells(pool, synthetic)
    real, made = row_keys(pool), row_keys(synthetic)
    twins = nearest_twins(
        codes,
        0,
        1,
        open_first=np.flatnonzero(~np.isin(real, made)),
        open_second=np.flatnonzero(~np.isin(made, real)),
    )
    everyone = np.arange(pool.num_rows)
    among = nearest_twins(codes, 0, 0, open_first=everyone, open_second=everyone)
    return twins, tuple(_bar(among.scores, rarity) for rarity in RARITIES)


def _bar(scores: Floats, rarity: float) -> float:
    """The score that a share `rarity` of real rows does not pass."""
    return float(np.quantile(scores, rarity, method="higher")) if rarity else -np.inf


def _excess(hits: NDArray[np.bool_], train_rows: int, holdout_rows: int) -> Excess:
    return Excess(
        train_hits=int(hits[:train_rows].sum()),
        train_rows=train_rows,
        holdout_hits=int(hits[train_rows:].sum()),
        holdout_rows=holdout_rows,
    )


def _figures(look: Excess) -> tuple[Figure, Figure]:
    return excess_figures(
        look,
        names=("near_copied_rows", "near_copy_excess"),
        titles=("Nearly copied train rows", "Near copies beyond chance"),
        meanings=(
            "Share of train rows that differ from a synthetic row in one or two cells only "
            "and share more telling cells than 99% of real rows do; the floor is the holdout's "
            "share.",
            "Nearly copied share of train rows less that of unseen rows; 0 is none.",
        ),
    )


def _headline(look: Excess, p_value: float, level: float) -> Headline:
    alarm = p_value < level
    return Headline(
        name="near_copies",
        topic="privacy",
        question="Are rows of the training table copied with small changes?",
        answer="alarm" if alarm else "good",
        words=f"{look.train_hits:,} of {look.train_rows:,} train rows have a telling near twin in "
        f"the synthetic table, {look.holdout_hits:,} of {look.holdout_rows:,} unseen rows have "
        f"one: {'more than chance explains' if alarm else 'no more than chance explains'}.",
        p_value=p_value,
        level=level,
        effect=look.value,
    )


def _looks_table(looks: list[Excess]) -> DetailTable:
    rows = tuple(
        (f"{100 * rarity:g}%", look.train_hits, look.holdout_hits, look.value, look.p_value)
        for rarity, look in zip(RARITIES, looks, strict=True)
    )
    return DetailTable(
        name="near_copy_bars",
        title="Near twins by how telling they are",
        columns=("more telling than", "train rows", "holdout rows", "excess", "p-value"),
        rows=tuple(reversed(rows)),
        meaning="Real rows with a near twin in the synthetic table; the first column is the share "
        "of real rows whose nearest twin among real rows shares less. Train should not lead.",
    )


def _listing(train: CodedTable, twins: Twins, bar: float) -> tuple[DetailTable, ...]:
    scores = twins.scores[: train.num_rows]
    worst = np.argsort(-scores, kind="stable")[:MOST_LISTED]
    worst = worst[scores[worst] > bar]
    if not len(worst):
        return ()
    table = DetailTable(
        name="near_copied_rows",
        title="Train rows with the most telling near twin",
        columns=("row", "cells changed", "shared surprise in nats"),
        rows=tuple(
            (row_label(train, "train", n), int(twins.changed[n]), float(scores[n])) for n in worst
        ),
        meaning="Row numbers of the given train table, first row 1. Rows of a holdout of the same "
        "size reach this list as well: read it beside the excess.",
    )
    return (table,)


def _too_narrow(num_columns: int) -> Measurement:
    words = f"Near copies need three columns or more to judge by, there are {num_columns}."
    headline = Headline(
        name="near_copies",
        topic="privacy",
        question="Are rows of the training table copied with small changes?",
        answer="not measured",
        words=words,
    )
    figure = Figure(
        name="near_copy_excess",
        title="Near copies beyond chance",
        value=None,
        goal="lower",
        meaning="Nearly copied share of train rows less that of unseen rows; 0 is none.",
    )
    return Measurement(figures=(figure,), headlines=(headline,), notes=(words,))


def _notes(comparison: Comparison, parts: list[CodedTable], most: int) -> tuple[str, ...]:
    given = (comparison.train, comparison.holdout, comparison.synthetic)
    if all(table.num_rows <= most for table in given):
        return ()
    sizes = [f"{part.num_rows:,}" for part in parts]
    return (
        f"Near copies were sought in {sizes[0]} train, {sizes[1]} holdout and {sizes[2]} "
        f"synthetic rows, drawn by seed {comparison.seed}.",
    )
