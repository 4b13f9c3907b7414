"""Alpha-precision and beta-recall: are synthetic rows typical, and are all real rows reached?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from sklearn.neighbors import NearestNeighbors

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedTable
from llmsynth_eval.details import Curve, Line
from llmsynth_eval.figure import Figure, Goal, Interval, beside_floor
from llmsynth_eval.jackknife import jackknife_interval, left_out
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.privacy.nearest import ONE_HOT_LEVELS, Space
from llmsynth_eval.row_order import NUM_BLOCKS, by_name, fair_sample

MAX_ROWS = 5_000
MIN_ROWS = 2 * NUM_BLOCKS
LEVELS = np.arange(1, 31) / 30


@dataclass(frozen=True, kw_only=True)
class Typicality:
    """Which rows count at each of the thirty levels; bool of shape (rows, levels)."""

    precise: np.ndarray
    """Synthetic row in the ball that holds this share of the real rows."""
    recalled: np.ndarray
    """Real row whose nearest synthetic row is near, and in the ball of this share of them."""


class AlphaBeta:
    """Scores 1 - sum |alpha - P(alpha)| / sum alpha, and the same of beta and R(beta).

    P(alpha) is the share of synthetic rows in the ball around the real centre that holds the
    share alpha of the real rows. R(beta) is the share of real rows whose nearest synthetic row is
    no farther than their nearest other real row, and lies in the ball around the synthetic centre
    that holds the share beta of the synthetic rows. Rows are points as for the DCR: standardised
    numbers, scaled one-hot categories; centres are means. All tables are cut to one size, at most
    `MAX_ROWS`, since nearest distances depend on it. Fresh real rows recall about half of the
    real ones at beta = 1, so read the recall beside the floor.

    Source: Alaa, van Breugel, Saveliev and van der Schaar (2022), "How faithful is your synthetic
    data?", ICML, sections 3 and 4; here without their learned embedding.
    """

    name: ClassVar[str] = "alpha_beta"
    goal: ClassVar[Goal] = "higher"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison) -> Measurement:
        roles = ["train", "synthetic"] + (["holdout"] if comparison.with_floor else [])
        tables = {role: by_name(getattr(comparison, role)) for role in roles}
        size = min(MAX_ROWS, *(table.num_rows for table in tables.values()))
        if size < MIN_ROWS:
            note = f"Alpha-precision and beta-recall need {MIN_ROWS} rows in every table."
            return Measurement(notes=(note,))
        space = Space(tables["train"])
        points = {
            role: space.place(fair_sample(table, size, seed=comparison.seed)).dense
            for role, table in tables.items()
        }
        if not points["train"].shape[1]:
            note = "Alpha-precision and beta-recall: every column has too many categories."
            return Measurement(notes=(note,))
        found = {role: typicality(points["train"], points[role]) for role in roles[1:]}
        return Measurement(
            figures=_figures(found),
            curves=(_curve(found),),
            notes=tuple(_notes(comparison, size, tables["train"])),
        )


def typicality(real: Floats, ours: Floats) -> Typicality:
    """Compare two equally large sets of points."""
    radii = _from_centre(real, real)
    precise = _from_centre(ours, real)[:, None] <= np.quantile(radii, LEVELS, method="higher")
    own, _ = _nearest(real, real, skip=1)
    near, place = _nearest(real, ours, skip=0)
    ours_radii = _from_centre(ours, ours)
    inside = ours_radii[place][:, None] <= np.quantile(ours_radii, LEVELS, method="higher")
    return Typicality(precise=precise, recalled=(near <= own)[:, None] & inside)


def score(counts: Floats, rows: Floats) -> Floats:
    """1 - sum |level - share| / sum level, shares of shape (..., levels) as counts over rows."""
    shares = counts / rows[..., None]
    out: Floats = 1 - np.abs(LEVELS - shares).sum(axis=-1) / LEVELS.sum()
    return out


def _from_centre(points: Floats, around: Floats) -> Floats:
    distances: Floats = np.sqrt(((points - around.mean(axis=0)) ** 2).sum(axis=1))
    return distances


def _nearest(rows: Floats, references: Floats, *, skip: int) -> tuple[Floats, np.ndarray]:
    """Distance to the nearest reference after the first `skip`, and its place."""
    search = NearestNeighbors(n_neighbors=1 + skip, algorithm="brute").fit(references)
    places = search.kneighbors(rows, return_distance=False)[:, skip]
    # computed anew, without the cancellation of the search: equal rows are at 0
    return np.sqrt(((rows - references[places]) ** 2).sum(axis=1)), places


def _figures(found: dict[str, Typicality]) -> tuple[Figure, ...]:
    meanings = {
        "alpha_precision": (
            "Alpha-precision",
            "Are synthetic rows as typical as real ones, neither outlandish nor all alike; 1 is "
            "the same.",
        ),
        "beta_recall": (
            "Beta-recall",
            "Is every real row reached by a near synthetic one; fresh real rows give the floor.",
        ),
    }
    out = []
    for name, (title, meaning) in meanings.items():
        scores: dict[str, tuple[float, Interval]] = {}
        for role, seen in found.items():
            scores[role] = _scored(seen.precise if name == "alpha_precision" else seen.recalled)
        out.append(beside_floor(scores, name=name, title=title, meaning=meaning, goal="higher"))
    return tuple(out)


def _scored(seen: np.ndarray) -> tuple[float, Interval]:
    blocks = [seen[block::NUM_BLOCKS] for block in range(NUM_BLOCKS)]
    counts = np.stack([block.sum(axis=0) for block in blocks]).astype(np.float64)
    sizes = np.array([len(block) for block in blocks], dtype=np.float64)
    value = float(score(counts.sum(axis=0), sizes.sum()[None])[0])
    replicates = score(left_out(counts), left_out(sizes))
    return value, jackknife_interval(value, replicates[None])


def _curve(found: dict[str, Typicality]) -> Curve:
    levels = (0.0, *LEVELS.tolist())
    lines = [Line(name="equal", x=(0.0, 1.0), y=(0.0, 1.0))]
    for role, seen in found.items():
        for name, rows in (("precision", seen.precise), ("recall", seen.recalled)):
            shares = (0.0, *rows.mean(axis=0).tolist())
            lines.append(Line(name=f"{name}, {role}", x=levels, y=shares))
    return Curve(
        name="alpha_beta",
        title="Alpha-precision and beta-recall",
        x_label="share of rows in the ball",
        y_label="share of the other table's rows",
        lines=tuple(lines),
        meaning="Precision on the diagonal is good; above it, synthetic rows crowd the centre. "
        "Recall is good where it follows the holdout's line.",
    )


def _notes(comparison: Comparison, size: int, train: CodedTable) -> list[str]:
    notes = [
        f"Alpha-precision and beta-recall use {size:,} rows of each table, drawn by the seed "
        f"{comparison.seed}."
    ]
    wide = [column.name for column in train.columns if len(column.levels) > ONE_HOT_LEVELS]
    if wide:
        notes.append(
            f"Columns of more than {ONE_HOT_LEVELS} categories take no part in alpha-precision "
            f"and beta-recall: {', '.join(wide)}."
        )
    return notes
