"""How columns go together, two by two: joint distances, information, association."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedTable
from llmsynth_eval.details import DetailTable
from llmsynth_eval.fidelity.columns import mean_of
from llmsynth_eval.fidelity.explained import explained_away
from llmsynth_eval.fidelity.interaction_test import same_association
from llmsynth_eval.fidelity.many_tests import Comparisons, Difference, answered
from llmsynth_eval.fidelity.pair_bins import Layout, bin_for_pairs, coarse_bins
from llmsynth_eval.fidelity.pair_counts import merged, pair_counts
from llmsynth_eval.fidelity.pair_scores import cramers_v, information, pair_distances
from llmsynth_eval.figure import Figure, Goal, Interval, PairError, beside_floor
from llmsynth_eval.jackknife import jackknife_interval
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.row_order import NUM_BLOCKS, canonical_order

ASSOCIATION_MARGIN = 0.02
MAX_COLUMNS = 300

ASSOCIATIONS = Comparisons(
    name="associations",
    question="Do columns go together as they do in the real table?",
    subject="pair of columns",
    subjects="pairs of columns",
    unit="difference of joint shares beyond the columns' own",
)
HEADINGS = (
    "pair",
    "with",
    "TV",
    "TV of holdout",
    "Cramér's V, train",
    "Cramér's V, synthetic",
    "information, train",
    "information, synthetic",
    "U(pair|with), train",
    "U(pair|with), synthetic",
    "U(with|pair), train",
    "U(with|pair), synthetic",
)


@dataclass(frozen=True, kw_only=True)
class PairTables:
    """Contingency tables of all pairs, by role, float (blocks, bins, bins), columns by name."""

    columns: CodedTable
    """Train with its columns in order of their names."""
    layout: Layout
    counts: dict[str, NDArray[np.float32]]

    def total(self, role: str) -> Floats:
        """Counts over all rows of a table, float64 (bins, bins)."""
        out: Floats = self.counts[role].sum(axis=0, dtype=np.float64)
        return out


class Pairs:
    """Figures of every two columns, on bins of train's scale.

    - `pair_distance`: mean TV distance of the joint distribution. Numbers are cut at train's
      deciles, frequent values apart, a missing cell is a bin, rarer levels beyond 40 share one.
    - `information_difference`: mean absolute difference of the normalised mutual information.
    - `association_difference`: mean absolute difference of bias-corrected Cramér's V.

    Intervals leave out one of twenty blocks of rows at a time. The detail table holds Theil's U
    both ways. Above `MAX_COLUMNS` columns a sample of them is taken by the seed.

    The headline `associations` tests every pair without the target for the same odds ratios in
    both tables on coarser bins, so that a column's own values play no part.
    """

    name: ClassVar[str] = "pairs"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison) -> Measurement:
        if len(comparison.train.columns) < 2:
            headline = answered([], ASSOCIATIONS)
            note = "Pairs need two columns; there is one."
            return Measurement(headlines=(headline,), notes=(note,))
        tables = pair_tables(comparison)
        note = f"Pairs are of {MAX_COLUMNS} of {len(comparison.train.columns):,} columns, drawn "
        note += f"by the seed {comparison.seed}."
        sampled = len(comparison.train.columns) > MAX_COLUMNS
        return Measurement(
            figures=_figures(tables),
            pairs=_errors(tables),
            tables=(_detail(tables),),
            headlines=(answered(association_tests(comparison, tables), ASSOCIATIONS),),
            notes=(note,) if sampled else (),
        )


def pair_tables(comparison: Comparison) -> PairTables:
    """Count every two columns of the compared tables."""
    roles = ["train", "synthetic"] + (["holdout"] if comparison.with_floor else [])
    given = {role: getattr(comparison, role) for role in roles}
    places = _places(comparison)
    chosen = {
        role: CodedTable(columns=tuple(t.columns[n] for n in places), cells=t.cells[:, places])
        for role, t in given.items()
    }
    codes, layout = bin_for_pairs(*chosen.values())
    counts = {
        role: pair_counts(
            part,
            layout,
            canonical_order(given[role], seed=comparison.seed),
            num_blocks=NUM_BLOCKS,
        )
        for role, part in zip(roles, codes, strict=True)
    }
    return PairTables(columns=chosen["train"].take(np.arange(0)), layout=layout, counts=counts)


def _places(comparison: Comparison) -> list[int]:
    names = [column.name for column in comparison.train.columns]
    places = sorted(range(len(names)), key=names.__getitem__)
    if len(places) <= MAX_COLUMNS:
        return places
    rng = np.random.default_rng((comparison.seed, 11))
    drawn = np.sort(rng.choice(len(places), size=MAX_COLUMNS, replace=False))
    return [places[number] for number in drawn]


def association_tests(comparison: Comparison, tables: PairTables) -> list[Difference]:
    """The tests behind the headline `associations`, one a pair without the target."""
    totals = tables.total("train"), tables.total("synthetic")
    own = np.diagonal(totals[0] + totals[1])
    columns = tables.columns.columns
    mapped, coarse = coarse_bins(columns, tables.layout, own)
    train, synthetic = (merged(total, mapped, coarse.width) for total in totals)
    found = same_association(train, synthetic, coarse)
    explained = explained_away(comparison)
    kept = [n for n, column in enumerate(columns) if column.name != comparison.target]
    return [
        Difference(
            about=f"{columns[i].name} and {columns[j].name}",
            p_value=float(found.p_value[i, j]),
            effect=float(found.effect[i, j]),
            margin=ASSOCIATION_MARGIN + explained.of(columns[i].name, columns[j].name),
        )
        for i, j in combinations(kept, 2)
    ]


def _figures(tables: PairTables) -> tuple[Figure, ...]:
    layout = tables.layout
    upper = np.triu_indices(len(layout.sizes), 1)

    def distance(first: Floats, second: Floats) -> Floats:
        return pair_distances(first, second, layout)[..., *upper]

    def shared(first: Floats, second: Floats) -> Floats:
        normalised = [information(side, layout).normalised for side in (first, second)]
        return np.abs(normalised[0] - normalised[1])[..., *upper]

    def association(first: Floats, second: Floats) -> Floats:
        return np.abs(cramers_v(first, layout) - cramers_v(second, layout))[..., *upper]

    meanings = {
        "pair_distance": ("Pair distance", distance, "How far two columns taken together are "
                          "from the real table, on average; their own values count too."),
        "information_difference": ("Mutual-information difference", shared, "How far the "
                                   "information that two columns share, from 0 to 1, is from "
                                   "the real one, on average."),
        "association_difference": ("Association difference", association, "How far the strength "
                                   "of association of two columns, Cramér's V from 0 to 1, is "
                                   "from the real one, on average."),
    }  # fmt: skip
    out = []
    for name, (title, function, meaning) in meanings.items():
        found: dict[str, tuple[float, Interval]] = {}
        for role in tables.counts:
            if role != "train":
                found[role] = _mean_and_interval(tables, role, function)
        out.append(beside_floor(found, name=name, title=title, meaning=meaning))
    return tuple(out)


def _mean_and_interval(
    tables: PairTables, role: str, distance: Callable[[Floats, Floats], Floats]
) -> tuple[float, Interval]:
    train, other = (tables.counts[name] for name in ("train", role))
    whole = tables.total("train"), tables.total(role)
    value = mean_of(distance(*whole).tolist())
    # one replicate at a time: all of them at once would not fit in memory
    replicates = [
        [float(distance(whole[0] - block, whole[1]).mean()) for block in train],
        [float(distance(whole[0], whole[1] - block).mean()) for block in other],
    ]
    return value, jackknife_interval(value, np.array(replicates))


def _errors(tables: PairTables) -> tuple[PairError, ...]:
    layout, columns = tables.layout, tables.columns.columns
    train = tables.total("train")
    errors = {
        role: pair_distances(train, tables.total(role), layout)
        for role in tables.counts
        if role != "train"
    }
    floors = errors.get("holdout")
    found = [
        PairError(
            first=columns[i].name,
            second=columns[j].name,
            error=float(errors["synthetic"][i, j]),
            floor=None if floors is None else float(floors[i, j]),
        )
        for i, j in combinations(range(len(columns)), 2)
    ]
    return tuple(sorted(found, key=lambda pair: (-pair.error, pair.first, pair.second)))


def _detail(tables: PairTables) -> DetailTable:
    layout, names = tables.layout, [c.name for c in tables.columns.columns]
    totals = [tables.total(role) for role in ("train", "synthetic")]
    strength = [cramers_v(total, layout) for total in totals]
    shared = [information(total, layout) for total in totals]
    place = {name: number for number, name in enumerate(names)}
    rows = []
    for pair in _errors(tables):
        i, j = place[pair.first], place[pair.second]
        rows.append(
            (
                pair.first,
                pair.second,
                pair.error,
                pair.floor,
                *(float(s[i, j]) for s in strength),
                *(float(s.normalised[i, j]) for s in shared),
                *(float(s.theils_u[i, j]) for s in shared),
                *(float(s.theils_u[j, i]) for s in shared),
            )
        )
    return DetailTable(
        name="pairs",
        title="Every two columns together",
        columns=HEADINGS,
        rows=tuple(rows),
        meaning="Good is a TV near the holdout's, and synthetic figures near train's. U(a|b) is "
        "the part of a that b explains. Small tables inflate information and U in both. The "
        "table cannot tell how three columns go together.",
    )
