"""The figures of fidelity for each value of one column, and for its rare values on their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

import numpy as np

from llmsynth_eval.bins import binned
from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedTable, Codes
from llmsynth_eval.details import Cell, DetailTable
from llmsynth_eval.fidelity.columns import ColumnGap, column_gaps, mean_of
from llmsynth_eval.fidelity.missing_rates import is_missing
from llmsynth_eval.fidelity.pair_scores import pair_distances
from llmsynth_eval.fidelity.pairs import pair_tables
from llmsynth_eval.figure import Figure, Goal, Measured, beside_floor
from llmsynth_eval.intervals import wilson
from llmsynth_eval.jackknife import jackknife_interval
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.row_order import fair_sample

MIN_ROWS = 20
MAX_ROWS = 50_000
MAX_GROUPS = 40
RARE_SHARE = 0.05
QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True, kw_only=True)
class Group:
    """One value of the column, in every table."""

    label: str
    num_rows: dict[str, int]
    share: float
    gaps: dict[str, list[ColumnGap]]
    """Other columns' distances by role; empty where a table has too few rows."""
    pairs: dict[str, float]
    missing: dict[str, float]

    def distance(self, role: str) -> float | None:
        """Mean KS or TV distance of the other columns' present values."""
        return mean_of([g.distance for g in self.gaps[role]]) if role in self.gaps else None


@dataclass(frozen=True, kw_only=True)
class Subgroups:
    """Mean KS or TV distance of the other columns within each value of a column, mean over values.

    Every value counts alike, so that a generator cannot neglect small groups. Numbers are cut at
    train's quartiles. A group of fewer than `MIN_ROWS` rows in a table is listed and left out of
    the figures there; of larger ones at most `MAX_ROWS` rows are used. Rare values hold less than
    `RARE_SHARE` of train.
    """

    column: str | None = None
    """Whose values make the groups; the target by default."""

    name: ClassVar[str] = "subgroups"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison) -> Measurement:
        chosen = self.column if self.column is not None else comparison.target
        names = [column.name for column in comparison.train.columns]
        if chosen is None or chosen not in names or len(names) < 2:
            reason = "no column was chosen" if chosen is None else f"{chosen} is not judged"
            return Measurement(notes=(f"Subgroups were left out: {reason} or stands alone.",))
        groups, notes = _groups(comparison, chosen)
        rare = [group for group in groups if group.share < RARE_SHARE]
        figures = (
            _figure(groups, "subgroup_distance", "Distance within groups", "each group"),
            _figure(rare, "rare_group_distance", "Distance within rare groups", "each rare group"),
        )
        if not rare:
            notes.append(f"No value of {chosen} is rarer than {RARE_SHARE:.0%} of train.")
        return Measurement(
            figures=tuple(figure for figure in figures if figure.value is not None),
            tables=(_table(chosen, groups),),
            notes=tuple(notes),
        )


def _groups(comparison: Comparison, chosen: str) -> tuple[list[Group], list[str]]:
    roles = ["train", "synthetic"] + (["holdout"] if comparison.with_floor else [])
    number = comparison.train.index(chosen)
    edges = _quartiles(comparison.train, number)
    codes = {role: _codes(getattr(comparison, role), number, edges) for role in roles}
    labels = _labels(comparison.train, number, edges)
    sizes = np.bincount(codes["train"], minlength=len(labels))
    order = [int(code) for code in np.argsort(-sizes, kind="stable") if sizes[code]]
    notes = []
    if len(order) > MAX_GROUPS:
        notes.append(f"Subgroups are the {MAX_GROUPS} commonest of {len(order):,} values.")
    if sizes.max() > MAX_ROWS:
        notes.append(
            f"Subgroups use at most {MAX_ROWS:,} rows of a group, drawn by the seed "
            f"{comparison.seed}."
        )
    groups = [
        _group(comparison, number, labels[code], {r: codes[r] == code for r in roles})
        for code in order[:MAX_GROUPS]
    ]
    return groups, notes


def _group(comparison: Comparison, number: int, label: str, rows: dict[str, np.ndarray]) -> Group:
    tables = {
        role: _without(getattr(comparison, role).take(chosen), number)
        for role, chosen in rows.items()
    }
    sizes = {role: table.num_rows for role, table in tables.items()}
    large = [role for role, size in sizes.items() if size >= MIN_ROWS]
    measured = [role for role in large if role != "train"] if "train" in large else []
    cut = {role: fair_sample(tables[role], MAX_ROWS, seed=comparison.seed) for role in large}
    gaps, pairs, missing = {}, {}, {}
    for role in measured:
        # the judged table stands in the synthetic one's place, and no holdout is needed
        part = replace(
            comparison,
            train=cut["train"],
            synthetic=cut[role],
            holdout=cut[role],
            target=None,
            with_floor=False,
        )
        gaps[role] = column_gaps(part, "synthetic")
        pairs[role] = _pair_distance(part)
        rates = [is_missing(cut[side]).mean(axis=0) for side in ("train", role)]
        missing[role] = float(np.abs(rates[0] - rates[1]).max())
    return Group(
        label=label,
        num_rows=sizes,
        share=sizes["train"] / comparison.train.num_rows,
        gaps=gaps,
        pairs=pairs,
        missing=missing,
    )


def _pair_distance(part: Comparison) -> float:
    if len(part.train.columns) < 2:
        return 0.0
    tables = pair_tables(part)
    found = pair_distances(tables.total("train"), tables.total("synthetic"), tables.layout)
    return mean_of(found[np.triu_indices(len(found), 1)].tolist())


def _without(table: CodedTable, number: int) -> CodedTable:
    kept = [n for n in range(len(table.columns)) if n != number]
    return CodedTable(columns=tuple(table.columns[n] for n in kept), cells=table.cells[:, kept])


def _quartiles(train: CodedTable, number: int) -> Floats:
    values = train.cells[:, number]
    present = values[~np.isnan(values)]
    if not train.columns[number].is_numeric or not len(present):
        return np.empty(0)
    edges: Floats = np.unique(np.quantile(present, QUARTILES))
    return edges


def _codes(table: CodedTable, number: int, edges: Floats) -> Codes:
    values = table.cells[:, number]
    return binned(values, edges) if table.columns[number].is_numeric else values.astype(np.int64)


def _labels(train: CodedTable, number: int, edges: Floats) -> list[str]:
    column = train.columns[number]
    if not column.is_numeric:
        return ["(missing)" if level is None else level for level in column.levels]
    ends = [f"{edge:.6g}" for edge in edges]
    if not ends:
        return ["all", "(missing)"]
    between = [f"{low} to {high}" for low, high in pairwise(ends)]
    return [f"below {ends[0]}", *between, f"{ends[-1]} or more", "(missing)"]


def _figure(groups: list[Group], name: str, title: str, which: str) -> Figure:
    return beside_floor(
        {role: _measured(groups, role) for role in ("synthetic", "holdout")},
        name=name,
        title=title,
        meaning=f"How far the columns are from the real ones within {which}, every group counting "
        "alike; small groups are far by chance, so read it beside the floor.",
    )


def _measured(groups: list[Group], role: str) -> Measured:
    known = [group for group in groups if role in group.gaps]
    if not known:
        return None, None
    value = mean_of([mean_of([gap.distance for gap in g.gaps[role]]) for g in known])
    # groups are different rows: their variances add up
    replicates = np.concatenate(
        [
            np.sort([gap.replicates for gap in g.gaps[role]], axis=0).mean(axis=0) / len(known)
            for g in known
        ]
    )
    return value, jackknife_interval(value, replicates)


def _table(chosen: str, groups: list[Group]) -> DetailTable:
    order = sorted(groups, key=lambda g: (-(g.distance("synthetic") or 2.0), g.label))
    total = max(1, sum(group.num_rows["synthetic"] for group in groups))
    rows: list[tuple[Cell, ...]] = [
        (
            group.label,
            "rare" if group.share < RARE_SHARE else "",
            group.num_rows["train"],
            group.num_rows["synthetic"],
            group.share,
            *_share(group.num_rows["synthetic"], total),
            group.distance("synthetic"),
            group.distance("holdout"),
            group.pairs.get("synthetic"),
            group.pairs.get("holdout"),
            group.missing.get("synthetic"),
        )
        for group in order
    ]
    return DetailTable(
        name="subgroups",
        title=f"Within each value of {chosen}",
        columns=(
            chosen,
            "rare",
            "train rows",
            "synthetic rows",
            "train share",
            "synthetic share",
            "from",
            "to",
            "KS or TV",
            "KS or TV of holdout",
            "pair TV",
            "pair TV of holdout",
            "largest missing-rate difference",
        ),
        rows=tuple(rows),
        meaning="Good is near the holdout's figure, group by group. A blank figure means fewer "
        f"than {MIN_ROWS} rows. Small groups are far by chance.",
    )


def _share(count: int, total: int) -> tuple[float, float, float]:
    return (count / total, *wilson(count, total))
