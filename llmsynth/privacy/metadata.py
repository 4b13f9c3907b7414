"""Turns a table into a schema that holds only declared and noisily released facts.

A column's values are *declared* where the schema names them: categories, or bounds other than the
defaults. What it does not name is released: category sets and repeated numbers by stability-based
thresholding, bounds from noisy counts on grids made without looking, missing cells by a noisy
count. Cells that fit neither are left out of their rows, never refused: a refusal would tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.privacy.accounting import Mechanism
from llmsynth.privacy.column_kinds import needs_votes, voted
from llmsynth.privacy.noise_source import NoiseSource
from llmsynth.privacy.noisy_counts import NoisyCounts
from llmsynth.privacy.unit_sampler import Units
from llmsynth.privacy.value_grids import (
    NUM_YEARS,
    NumberGridCells,
    coarse_cells,
    fine_cells,
    year_bounds,
    year_cells,
)
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
from llmsynth.schema.number_texts import plain_decimal
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.conforming import fitting_cells

_MOST_CODES = 12
_MOST_TARGET_CLASSES = 20
_CODES_SHARE = 0.95
_MOST_FREQUENT = 512
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
) -> ReleasedSchema:
    """Fill in what `schema` does not declare, from noisy counts.

    Args:
        table: the rows of `units`, columns in any order and type.
        schema: kinds, and declared values; see the module docstring.
        kinds_known: whether the kinds were declared; else open ones are voted on.
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
    num_open = len(numbers) + len(categories)
    # One histogram more for the number of rows and of units, one more a number for its spikes.
    counts = budget.counts(
        values_share, len(wanting) + len(numbers) + 2, units, source, num_open=num_open
    )
    mechanisms["values, bounds, missing cells, number of rows"] = counts.mechanism
    fine = budget.counts(_BOUNDS, len(numbers), units, source)
    if numbers:
        mechanisms["finer bounds of numbers"] = fine.mechanism
    num_rows = _count(counts, table.num_rows)
    num_units = _count(counts, units.count)
    left_out = [c.name for c in schema.columns if isinstance(c, TextColumn)]
    for column in wanting:
        cells = fitting_cells(column, table.column(column.name))
        new = _released(column, cells, counts, fine, is_target=column.name == target)
        if new is None:
            left_out.append(column.name)
        else:
            schema = schema.with_column(new)
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
            return _number(column, cells, counts, fine, is_target=is_target)
        case DateColumn() | DatetimeColumn():
            return _calendar(column, cells, counts)
        case BooleanColumn():
            noisy = counts.closed(np.asarray(_absent(cells), dtype=np.int64), 2)
            return replace(column, nullable=bool(noisy[1] > counts.cell_threshold(2)))
    return column


def _absent(cells: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(cells.is_null().to_numpy(zero_copy_only=False), dtype=np.bool_)


def _category(column: CategoryColumn, cells: pa.Array, counts: NoisyCounts) -> Column | None:
    # A row with a missing cell counts in this cell and in no key.
    missing = counts.closed(np.where(_absent(cells), 0, -1), 1)[0]
    found = counts.open(cells.cast(pa.string()))
    if not found:
        return None
    nullable = column.nullable or bool(missing > counts.cell_threshold(1))
    return replace(column, categories=_sorted(list(found), column.storage), nullable=nullable)


def _sorted(texts: Sequence[str], storage: str) -> tuple[str, ...]:
    if storage == "string":
        return tuple(sorted(texts))
    return tuple(sorted(texts, key=Decimal))


def _number(
    column: NumberColumn,
    cells: pa.Array,
    counts: NoisyCounts,
    fine: NoisyCounts,
    *,
    is_target: bool,
) -> Column | None:
    absent = _absent(cells)
    values = np.asarray(cells.cast(pa.float64(), safe=False).fill_null(math.nan), dtype=np.float64)
    grid = coarse_cells(column.scale)
    noisy = counts.closed(np.where(absent, len(grid), grid.cells(values)), len(grid) + 1)
    span = counts.used_span(noisy[:-1])
    keys = counts.open(_plain_texts(cells, column.scale))
    nullable = column.nullable or bool(noisy[-1] > counts.cell_threshold(1))
    if span is None:
        return None
    used = np.flatnonzero(noisy[:-1] > counts.cell_threshold(len(grid)))
    if pa.types.is_integer(cells.type) and _are_codes(keys, grid, used, noisy, is_target=is_target):
        return CategoryColumn(
            name=column.name,
            nullable=nullable,
            storage=column.storage,
            description=column.description,
            categories=tuple(sorted(keys, key=Decimal)),
        )
    bounds = grid.bounds(*span)
    finer = fine_cells(*bounds, grid.unit)
    noisy = fine.closed(finer.cells(values), len(finer))
    span = fine.used_span(noisy)
    low, high = bounds if span is None else finer.bounds(*span)
    frequent = [text for text in keys if low <= Decimal(text) <= high][:_MOST_FREQUENT]
    return replace(
        column,
        nullable=nullable,
        minimum=plain_decimal(str(low)),
        maximum=plain_decimal(str(high)),
        frequent=tuple(sorted(frequent, key=Decimal)),
    )


def _are_codes(
    keys: Mapping[str, float],
    grid: NumberGridCells,
    used: npt.NDArray[np.int64],
    noisy: npt.NDArray[np.float64],
    *,
    is_target: bool,
) -> bool:
    """Whether a few released values are nearly all that the column holds."""
    if not 2 <= len(keys) <= (_MOST_TARGET_CLASSES if is_target else _MOST_CODES):
        return False
    own = grid.cells(np.array([float(text) for text in keys]))
    held = sum(keys.values()) / max(float(noisy[used].sum()), 1.0)
    return held >= _CODES_SHARE and set(used.tolist()) <= set(own.tolist())


def _plain_texts(cells: pa.Array, scale: int) -> pa.Array:
    """Numbers as plain decimal texts on the column's grid, one text for one value."""
    if pa.types.is_integer(cells.type):
        return cells.cast(pa.string())
    rounded = pc.round(cells.cast(pa.float64(), safe=False), ndigits=scale)
    distinct = rounded.unique()
    texts = [None if v is None else plain_decimal(f"{v:.{scale}f}") for v in distinct.to_pylist()]
    return pa.array(texts, pa.string()).take(pc.index_in(rounded, value_set=distinct))


def _calendar(
    column: DateColumn | DatetimeColumn, cells: pa.Array, counts: NoisyCounts
) -> Column | None:
    moments = cells.cast(pa.timestamp(cells.type.unit)) if _is_moment(cells) else cells
    days = moments.cast(pa.timestamp("s"), safe=False).to_numpy(zero_copy_only=False)
    codes = np.where(_absent(cells), NUM_YEARS, year_cells(days.astype("M8[D]")))
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
