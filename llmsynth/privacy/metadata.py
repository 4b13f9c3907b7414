"""Turns a table into a schema that holds only declared and noisily released facts.

A column's values are *declared* where the schema names them: categories, or bounds other than the
defaults. What it does not name is released: category sets and repeated numbers (those of declared
bounds, too) by stability-based thresholding, bounds from noisy counts on grids made without
looking, missing cells by a noisy count. Cells that fit neither are left out of their rows, never
refused: a refusal would tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np
import pyarrow as pa

from llmsynth.privacy.accounting import Mechanism
from llmsynth.privacy.column_kinds import needs_votes, voted
from llmsynth.privacy.noise_source import NoiseSource
from llmsynth.privacy.noisy_counts import NoisyCounts
from llmsynth.privacy.released_numbers import (
    absent,
    cell_texts,
    may_have_spikes,
    release_number,
    with_spikes,
)
from llmsynth.privacy.unit_sampler import Units
from llmsynth.privacy.value_grids import NUM_YEARS, year_bounds, year_cells
from llmsynth.schema.columns import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    DatetimeColumn,
    IdentifierColumn,
    NumberColumn,
    TextColumn,
)
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.conforming import fitting_cells

_VOTES, VALUES_SHARE, _BOUNDS = 0.2, 0.6, 0.2
"""Shares of the squared budget that the three rounds of the release take."""


@dataclass(frozen=True, kw_only=True)
class ReleasedSchema:
    """A schema free of private values, and what its release spent.

    declared, released: names of the columns whose values came from either.
    left_out: columns of which nothing could be released, and free text.
    num_rows, num_units: noisy, at least 1.
    """

    schema: TableSchema
    declared: tuple[str, ...]
    released: tuple[str, ...]
    left_out: tuple[str, ...]
    num_rows: int
    num_units: int
    mechanisms: Mapping[str, Mechanism] = field(default_factory=dict)
    key_delta: float = 0.0


@dataclass(frozen=True, kw_only=True)
class MetadataBudget:
    """What the release may spend.

    noise_multiplier: of all rounds together, as one Gaussian mechanism.
    key_delta: chance that a value of one unit alone comes out.
    """

    noise_multiplier: float
    key_delta: float

    def counts(
        self, share: float, histograms: int, units: Units, source: NoiseSource, num_open: int = 0
    ) -> NoisyCounts:
        """Histograms that take `share` of the squared budget."""
        return NoisyCounts(
            num_histograms=max(histograms, 1),
            noise_multiplier=self.noise_multiplier / math.sqrt(share),
            most_rows=units.most_rows,
            source=source,
            key_delta=self.key_delta,
            num_open=num_open,
        )


def release_schema(
    table: pa.Table,
    schema: TableSchema,
    units: Units,
    budget: MetadataBudget,
    source: NoiseSource,
    *,
    kinds_known: bool,
    target: str | None,
    keep_text: bool = False,
) -> ReleasedSchema:
    """Fill in what `schema` does not declare, from noisy counts.

    Args:
        table: the rows of `units`, columns in any order and type.
        schema: kinds, and declared values; see the module docstring.
        kinds_known: whether the kinds were declared; else open ones are voted on.
        keep_text: whether declared free texts stay in the schema, as they are declared.
    """
    mechanisms: dict[str, Mechanism] = {}
    values_share = VALUES_SHARE
    if not kinds_known:
        open_kinds = [n for n in schema.names if needs_votes(_kind(table, n))]
        votes = budget.counts(_VOTES, len(open_kinds), units, source)
        mechanisms["column kinds"] = votes.mechanism
        for name in open_kinds:
            schema = schema.with_column(voted(schema.column(name), table.column(name), votes))
    else:
        values_share += _VOTES
    wanting = [c for c in schema.columns if not is_declared(c) and not _is_open_text(c)]
    numbers = [c for c in wanting if isinstance(c, NumberColumn)]
    categories = [c for c in wanting if isinstance(c, CategoryColumn)]
    spiky = [c for c in schema.columns if isinstance(c, NumberColumn) and _is_spiky(c)]
    num_open = len(numbers) + len(categories) + len(spiky)
    # One histogram more for the number of rows and of units, one more a number for its spikes.
    counts = budget.counts(
        values_share,
        len(wanting) + len(numbers) + len(spiky) + 2,
        units,
        source,
        num_open=num_open,
    )
    mechanisms["values, bounds, missing cells, number of rows"] = counts.mechanism
    fine = budget.counts(_BOUNDS, len(numbers), units, source)
    if numbers:
        mechanisms["finer bounds of numbers"] = fine.mechanism
    num_rows = _count(counts, table.num_rows)
    num_units = _count(counts, units.count)
    left_out = [c.name for c in schema.columns if isinstance(c, TextColumn) and not keep_text]
    for column in wanting:
        cells = fitting_cells(column, table.column(column.name))
        new = _released(column, cells, counts, fine, is_target=column.name == target)
        if new is None:
            left_out.append(column.name)
        else:
            schema = schema.with_column(new)
    for number in spiky:
        keys = counts.open(cell_texts(number, fitting_cells(number, table.column(number.name))))
        schema = schema.with_column(with_spikes(number, keys))
    names = [c.name for c in wanting]
    return ReleasedSchema(
        schema=schema.without(left_out),
        declared=tuple(n for n in schema.names if n not in names and n not in left_out),
        released=tuple(n for n in names if n not in left_out),
        left_out=tuple(left_out),
        num_rows=num_rows,
        num_units=min(num_units, num_rows),
        mechanisms=mechanisms,
        key_delta=budget.key_delta if num_open else 0.0,
    )


def is_declared(column: Column) -> bool:
    """Whether the schema itself names the column's values."""
    match column:
        case CategoryColumn():
            return bool(column.categories)
        case NumberColumn() | DateColumn() | DatetimeColumn():
            blank = type(column)(name=column.name)
            return (column.minimum, column.maximum) != (blank.minimum, blank.maximum)
        case BooleanColumn():
            return column.nullable
    return True


def _is_spiky(column: NumberColumn) -> bool:
    """Whether repeated numbers are to be released of a column whose bounds are declared."""
    return is_declared(column) and may_have_spikes(column)


def _is_open_text(column: Column) -> bool:
    return isinstance(column, TextColumn | IdentifierColumn)


def _kind(table: pa.Table, name: str) -> pa.DataType:
    return table.schema.field(name).type


def _count(counts: NoisyCounts, exact: int) -> int:
    noisy = counts.closed(np.zeros(exact, dtype=np.int64), 1)
    return max(int(noisy[0]), 1)


def _released(
    column: Column, cells: pa.Array, counts: NoisyCounts, fine: NoisyCounts, *, is_target: bool
) -> Column | None:
    match column:
        case CategoryColumn():
            return _category(column, cells, counts)
        case NumberColumn():
            return release_number(column, cells, counts, fine, is_target=is_target)
        case DateColumn() | DatetimeColumn():
            return _calendar(column, cells, counts)
        case BooleanColumn():
            noisy = counts.closed(np.asarray(absent(cells), dtype=np.int64), 2)
            return replace(column, nullable=bool(noisy[1] > counts.cell_threshold(2)))
    return column


def _category(column: CategoryColumn, cells: pa.Array, counts: NoisyCounts) -> Column | None:
    # A row with a missing cell counts in this cell and in no key.
    missing = counts.closed(np.where(absent(cells), 0, -1), 1)[0]
    found = counts.open(cells.cast(pa.string()))
    if not found:
        return None
    nullable = column.nullable or bool(missing > counts.cell_threshold(1))
    return replace(column, categories=_sorted(list(found), column.storage), nullable=nullable)


def _sorted(texts: Sequence[str], storage: str) -> tuple[str, ...]:
    if storage == "string":
        return tuple(sorted(texts))
    return tuple(sorted(texts, key=Decimal))


def _calendar(
    column: DateColumn | DatetimeColumn, cells: pa.Array, counts: NoisyCounts
) -> Column | None:
    moments = cells.cast(pa.timestamp(cells.type.unit)) if _is_moment(cells) else cells
    days = moments.cast(pa.timestamp("s"), safe=False).to_numpy(zero_copy_only=False)
    codes = np.where(absent(cells), NUM_YEARS, year_cells(days.astype("M8[D]")))
    noisy = counts.closed(codes, NUM_YEARS + 1)
    span = counts.used_span(noisy[:-1])
    if span is None:
        return None
    low, high = (day.isoformat() for day in year_bounds(*span))
    if isinstance(column, DatetimeColumn):
        low, high = f"{low}T00:00:00", f"{high}T23:59:59"
    nullable = column.nullable or bool(noisy[-1] > counts.cell_threshold(1))
    return replace(column, minimum=low, maximum=high, nullable=nullable)


def _is_moment(cells: pa.Array) -> bool:
    return bool(pa.types.is_timestamp(cells.type))
