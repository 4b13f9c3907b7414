"""How far three columns taken together are from the train table, on a sample of triples."""

from __future__ import annotations

from math import comb
from typing import ClassVar

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedTable, Codes
from llmsynth_eval.details import DetailTable
from llmsynth_eval.fidelity.columns import block_counts, mean_of
from llmsynth_eval.fidelity.distances import count_distance
from llmsynth_eval.fidelity.pair_bins import BinCodes, Layout, bin_for_pairs, coarse_bins
from llmsynth_eval.figure import Figure, Goal
from llmsynth_eval.jackknife import jackknife_interval, two_sample_replicates
from llmsynth_eval.metric import Comparison, Measurement
from llmsynth_eval.row_order import NUM_BLOCKS, by_name, fair_sample

MAX_TRIPLES = 200
MAX_ROWS = 200_000

Triple = tuple[int, int, int]


class Triples:
    """Mean TV distance of the joint distribution of three columns.

    Bins are coarse (about a sixth of the rows each, the five commonest levels and the rest, a
    missing cell), so that cells are not mostly empty. Of more than `MAX_TRIPLES` triples that
    many are drawn by the seed and the columns' names, and at most `MAX_ROWS` rows of a table.
    """

    name: ClassVar[str] = "triples"
    goal: ClassVar[Goal] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def compute(self, comparison: Comparison) -> Measurement:
        num_columns = len(comparison.train.columns)
        if num_columns < 3:
            return Measurement(notes=(f"Triples need three columns; there are {num_columns}.",))
        roles = ["train", "synthetic"] + (["holdout"] if comparison.with_floor else [])
        tables = [
            by_name(fair_sample(getattr(comparison, role), MAX_ROWS, seed=comparison.seed))
            for role in roles
        ]
        codes, layout = _coarse(tables)
        triples = drawn_triples(num_columns, comparison.seed)
        counts = [[triple_counts(part, layout, triple) for triple in triples] for part in codes]
        names = [column.name for column in tables[0].columns]
        return Measurement(
            figures=(_figure(counts),),
            tables=(_table(counts, triples, names),),
            notes=tuple(_notes(comparison, roles, len(triples))),
        )


def drawn_triples(num_columns: int, seed: int) -> list[Triple]:
    """All triples of columns, or `MAX_TRIPLES` different ones drawn by the seed, in order."""
    rng = np.random.default_rng((seed, 13))
    if comb(num_columns, 3) <= MAX_TRIPLES:
        every = np.arange(num_columns)
        grid = np.stack(np.meshgrid(every, every, every, indexing="ij"), axis=-1).reshape(-1, 3)
        rising = (grid[:, 0] < grid[:, 1]) & (grid[:, 1] < grid[:, 2])
        return [(int(i), int(j), int(k)) for i, j, k in grid[rising]]
    chosen: set[Triple] = set()
    for _ in range(100 * MAX_TRIPLES):  # far more than ever needed; the loop is bounded
        i, j, k = sorted(rng.choice(num_columns, size=3, replace=False).tolist())
        chosen.add((i, j, k))
        if len(chosen) == MAX_TRIPLES:
            break
    return sorted(chosen)


def triple_counts(codes: Codes, layout: Layout, triple: Triple) -> Floats:
    """Rows of each block in each joint cell of three columns; rows are dealt in turn."""
    i, j, k = triple
    joint = (codes[i] * layout.sizes[j] + codes[j]) * layout.sizes[k] + codes[k]
    blocks = np.arange(len(joint)) % NUM_BLOCKS
    return block_counts(joint, blocks, int(np.prod(layout.sizes[list(triple)])))


def _coarse(tables: list[CodedTable]) -> tuple[list[Codes], Layout]:
    fine, layout = bin_for_pairs(*tables)
    counts = [
        np.bincount(column, minlength=int(size))
        for column, size in zip(fine[0], layout.sizes, strict=True)
    ]
    columns = tables[0].columns
    mapped, coarse = coarse_bins(columns, layout, np.concatenate(counts).astype(np.float64))

    def folded(codes: BinCodes) -> Codes:
        places = mapped[codes.astype(np.int64) + layout.starts[:, None]]
        out: Codes = places - coarse.starts[:, None]
        return out

    return [folded(codes) for codes in fine], coarse


def _figure(counts: list[list[Floats]]) -> Figure:
    def measured(other: list[Floats]) -> tuple[float, tuple[float, float]]:
        pairs = list(zip(counts[0], other, strict=True))
        value = mean_of([float(count_distance(a.sum(axis=0), b.sum(axis=0))) for a, b in pairs])
        replicates = np.mean(
            [two_sample_replicates(a, b, count_distance) for a, b in pairs], axis=0
        )
        return value, jackknife_interval(value, replicates)

    value, interval = measured(counts[1])
    floor, floor_interval = measured(counts[2]) if len(counts) > 2 else (None, None)
    return Figure(
        name="triple_distance",
        title="Triple distance",
        value=value,
        interval=interval,
        floor=floor,
        floor_interval=floor_interval,
        goal="lower",
        meaning="How far three columns taken together are from the real table, on average.",
    )


def _table(counts: list[list[Floats]], triples: list[Triple], names: list[str]) -> DetailTable:
    totals = [[c.sum(axis=0) for c in role] for role in counts]
    errors = [
        [float(count_distance(a, b)) for a, b in zip(totals[0], role, strict=True)]
        for role in totals[1:]
    ]
    order = sorted(range(len(triples)), key=lambda n: (-errors[0][n], triples[n]))
    return DetailTable(
        name="triples",
        title="Three columns together",
        columns=("column", "with", "and", "TV", "TV of holdout"),
        rows=tuple(
            (
                *(names[column] for column in triples[n]),
                errors[0][n],
                errors[1][n] if len(errors) > 1 else None,
            )
            for n in order
        ),
        meaning="Good is a TV near the holdout's. Bins are coarse: what happens within a sixth of "
        "a column's rows is not seen.",
    )


def _notes(comparison: Comparison, roles: list[str], num_triples: int) -> list[str]:
    notes, every = [], comb(len(comparison.train.columns), 3)
    if num_triples < every:
        notes.append(
            f"Triples are {num_triples:,} of {every:,}, drawn by the seed {comparison.seed}."
        )
    if any(getattr(comparison, role).num_rows > MAX_ROWS for role in roles):
        notes.append(
            f"Triples use at most {MAX_ROWS:,} rows of each table, drawn by the seed "
            f"{comparison.seed}."
        )
    return notes
