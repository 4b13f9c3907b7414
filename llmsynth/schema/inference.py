"""What kind of column each column of a raw table is, decided from its cells."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.errors import TableError
from llmsynth.schema.clock_texts import (
    day_format,
    moment_format,
    parse_moments,
    whole_day_format,
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
from llmsynth.schema.declared_categories import declared_categories
from llmsynth.schema.evidence import ColumnEvidence
from llmsynth.schema.identifier_patterns import FEWEST_ROWS, row_number_pattern, text_pattern
from llmsynth.schema.number_texts import (
    DecimalGrid,
    are_whole,
    decimal_grid,
    float_grid,
    plain_decimal,
)
from llmsynth.schema.spelled_columns import (
    clock_quantities,
    moments_with_offsets,
    spelled_numbers,
    with_spelling,
)
from llmsynth.schema.storage import is_supported, plain
from llmsynth.schema.table_schema import TableSchema

_MOST_CODES = 12
_MOST_DECLARED = 0.2
_FEWEST_ROWS_FOR_CODES = 200
_MOST_TARGET_CLASSES = 20
_SPELLINGS = (("true", "false"), ("True", "False"), ("TRUE", "FALSE"))


def infer_schema(table: pa.Table, *, target: str | None = None) -> TableSchema:
    """Decide the kind and bounds of each column from its cells.

    Args:
        table: one row or more; string columns are judged by their texts, typed columns keep
            their Arrow type as `storage`.
        target: a column to predict; integers of up to 20 values are then its classes.

    Raises:
        TableError: no rows, a column type that cannot be learned, or an unknown target.
        SchemaError: no columns, or a column name that is empty or used twice.
    """
    if target is not None and target not in table.column_names:
        raise TableError(
            f"The target {target!r} is no column of the table.",
            hint=f"It has {', '.join(map(repr, table.column_names))}.",
        )
    if table.num_columns and not table.num_rows:
        raise TableError("A schema is inferred from rows, and the table has none.")
    evidence = []
    for name, cells in zip(table.column_names, table.itercolumns(), strict=True):
        column = plain(cells)
        refuse_unsupported(name, column.type)
        found = ColumnEvidence(name, column.type, kept=sys.maxsize)
        found.add(column)
        evidence.append(found)
    declared = declared_categories(table)
    schema = decided(evidence, target)
    columns = (
        _declared(column, found, declared[column.name]) if column.name in declared else column
        for column, found in zip(schema.columns, evidence, strict=True)
    )
    return replace(schema, columns=tuple(columns))


def _declared(column: Column, found: ColumnEvidence, order: Sequence[str]) -> Column:
    """Categories as the table's own type lists them; those without a cell cannot be learned."""
    if not pa.types.is_string(found.kind) or not found.num_cells:
        return column
    held = set(found.distinct.to_pylist())
    if not held <= set(order):
        return column
    categories = tuple(text for text in order if text in held)
    # A dictionary may be a mere encoding of names or remarks, which are no categories.
    if not isinstance(column, CategoryColumn) and len(held) > _MOST_DECLARED * found.num_cells:
        return column
    return CategoryColumn(name=column.name, nullable=column.nullable, categories=categories)


def refuse_unsupported(name: str, kind: pa.DataType) -> None:
    """Raise TableError for a column whose type cannot be learned."""
    if not is_supported(kind):
        raise TableError(
            f"Column {name!r} has the type {kind}, which cannot be learned.",
            hint="Turn it into text, numbers, dates or booleans first, or leave it out.",
        )


def decided(evidence: Sequence[ColumnEvidence], target: str | None) -> TableSchema:
    """The schema that the evidence of each column speaks for.

    Raises:
        TableError, SchemaError: see `infer_schema`.
    """
    return TableSchema(columns=tuple(_column(found, found.name == target) for found in evidence))


def _column(found: ColumnEvidence, is_target: bool) -> Column:
    name, kind, nullable = found.name, found.kind, found.num_missing > 0
    if not found.num_cells:
        return CategoryColumn(name=name, nullable=True, storage=str(kind))
    if pa.types.is_string(kind):
        return _from_texts(found, nullable, is_target)
    if pa.types.is_boolean(kind):
        return BooleanColumn(name=name, nullable=nullable)
    if pa.types.is_integer(kind):
        return _from_integers(found, found.distinct, nullable, is_target)
    if pa.types.is_floating(kind):
        return _from_floats(name, found.distinct, nullable, is_target)
    if pa.types.is_decimal(kind):
        return _from_decimals(name, found.distinct, nullable)
    if pa.types.is_date(kind):
        return _days(name, found.distinct, nullable, storage=str(kind), pattern="%Y-%m-%d")
    return _moments(name, found.distinct, nullable, storage=str(kind))


def _from_texts(found: ColumnEvidence, nullable: bool, is_target: bool) -> Column:
    name, distinct = found.name, found.distinct
    if boolean := _boolean(name, distinct, nullable):
        return boolean
    if are_whole(distinct):
        if found.num_distinct > _MOST_CODES and (pattern := whole_day_format(distinct)):
            days = parse_moments(distinct, pattern)
            return _days(name, days, nullable, storage="date32[day]", pattern=pattern)
        return _from_integers(found, distinct.cast(pa.int64()), nullable, is_target)
    grid = decimal_grid(distinct)
    if grid:
        is_classes = is_target and len(distinct) <= _MOST_TARGET_CLASSES
        if is_classes and pc.all(pc.match_substring_regex(distinct, r"^-?[0-9]+\.0+$")).as_py():
            return _categories(name, distinct, nullable)
        return with_spelling(_number(name, grid, nullable), found)
    if pattern := day_format(distinct):
        days = parse_moments(distinct, pattern)
        return _days(name, days, nullable, storage="date32[day]", pattern=pattern)
    if pattern := moment_format(distinct):
        is_zoned = pattern.endswith("%z")
        if is_zoned:
            other = moments_with_offsets(found, nullable, pattern)
            if not isinstance(other, str):
                # As UTC they would lose their offsets, and the clock that people read.
                return other or _from_words(found, nullable, is_target)
            pattern = other
        # Clocks of one known offset are local; those of UTC, and of offsets lost, have a zone.
        is_utc = is_zoned and pattern.endswith(("Z", "+00:00", "+0000", "%z"))
        storage = "timestamp[us, tz=UTC]" if is_utc else "timestamp[us]"
        moments = parse_moments(distinct, pattern)
        return _moments(name, moments, nullable, storage=storage, pattern=pattern)
    if not (is_target and len(distinct) <= _MOST_TARGET_CLASSES):
        if quantity := clock_quantities(found, nullable):
            return quantity
        number = spelled_numbers(found, nullable)
        if number and not (
            _is_whole(number) and _are_codes(len(distinct), found.num_cells, is_target)
        ):
            return number
    return _from_words(found, nullable, is_target)


def _from_words(found: ColumnEvidence, nullable: bool, is_target: bool) -> Column:
    name, distinct = found.name, found.distinct
    if is_target:
        return _categories(name, distinct, nullable)
    if found.is_unique and (
        pattern := text_pattern(name, distinct.to_pylist(), count=found.num_cells)
    ):
        return IdentifierColumn(name=name, nullable=nullable, pattern=pattern)
    # More distinct texts than are kept make no categories, however often each comes.
    if _is_free_text(found) or not found.is_exact:
        longest = pc.max(pc.utf8_length(distinct)).as_py()
        return TextColumn(name=name, nullable=nullable, maximum_length=max(1, longest))
    return _categories(name, distinct, nullable)


def _is_free_text(found: ColumnEvidence) -> bool:
    share = found.num_distinct / found.num_cells
    if share <= 0.2 or found.num_cells < FEWEST_ROWS:
        return False
    if found.mean_words >= 4:
        return True
    if share <= 0.5:
        return False
    # Texts that never repeat say nothing as categories, and each would be one row's secret.
    never_repeats = found.is_unique and found.num_distinct >= 100
    return found.num_distinct > 1000 or never_repeats or found.mean_letters > 40


def _is_whole(number: NumberColumn) -> bool:
    return number.scale == 0 and not number.words


def _boolean(name: str, distinct: pa.Array, nullable: bool) -> BooleanColumn | None:
    if len(distinct) > 2:
        return None
    for true_text, false_text in _SPELLINGS:
        if set(distinct.to_pylist()) <= {true_text, false_text}:
            return BooleanColumn(
                name=name, nullable=nullable, true_text=true_text, false_text=false_text
            )
    return None


def _from_integers(
    found: ColumnEvidence, values: pa.Array, nullable: bool, is_target: bool
) -> Column:
    name, distinct = found.name, values.sort()
    if _are_codes(len(distinct), found.num_cells, is_target):
        return _categories(name, distinct, nullable)
    low, high = distinct[0].as_py(), distinct[-1].as_py()
    if not nullable and not is_target and high < 2**63 and found.is_unique:
        pattern = row_number_pattern(
            name,
            count=found.num_cells,
            lowest=low,
            highest=high,
            first=found.first,
            is_rising=found.is_rising,
        )
        if pattern:
            return IdentifierColumn(name=name, storage=str(distinct.type), pattern=pattern)
    return NumberColumn(
        name=name,
        nullable=nullable,
        storage=str(distinct.type),
        minimum=str(low),
        maximum=str(high),
    )


def _are_codes(num_distinct: int, num_rows: int, is_target: bool) -> bool:
    if is_target and num_distinct <= _MOST_TARGET_CLASSES:
        return True
    is_long = num_rows >= _FEWEST_ROWS_FOR_CODES
    return is_long and num_distinct <= _MOST_CODES and num_distinct / num_rows < 0.01


def _from_floats(name: str, values: pa.Array, nullable: bool, is_target: bool) -> Column:
    if not pc.all(pc.is_finite(values)).as_py():
        raise TableError(
            f"Column {name!r} holds an infinite number.",
            hint="Replace it with a number or a missing cell.",
        )
    distinct = values.sort()
    grid = float_grid(distinct)
    if is_target and grid.scale == 0 and len(distinct) <= _MOST_TARGET_CLASSES:
        return _categories(name, distinct, nullable)
    return _number(name, grid, nullable)


def _from_decimals(name: str, values: pa.Array, nullable: bool) -> Column:
    ends = pc.min_max(values)
    return NumberColumn(
        name=name,
        nullable=nullable,
        storage=str(values.type),
        scale=values.type.scale,
        minimum=plain_decimal(str(ends["min"].as_py())),
        maximum=plain_decimal(str(ends["max"].as_py())),
        fixed_scale=values.type.scale > 0,
    )


def _categories(name: str, distinct: pa.Array, nullable: bool) -> CategoryColumn:
    """One category per value, sorted by value: texts by code point, codes by size."""
    texts = distinct.sort().cast(pa.string()).to_pylist()
    return CategoryColumn(
        name=name, nullable=nullable, storage=str(distinct.type), categories=tuple(texts)
    )


def _number(name: str, grid: DecimalGrid, nullable: bool) -> NumberColumn:
    return NumberColumn(
        name=name,
        nullable=nullable,
        storage=grid.storage,
        scale=grid.scale,
        minimum=grid.minimum,
        maximum=grid.maximum,
        fixed_scale=grid.fixed_scale,
    )


def _days(name: str, days: pa.Array, nullable: bool, *, storage: str, pattern: str) -> DateColumn:
    ends = pc.min_max(days.cast(pa.timestamp("s")))
    low, high = (_iso(ends[end])[:10] for end in ("min", "max"))
    return DateColumn(
        name=name, nullable=nullable, storage=storage, minimum=low, maximum=high, format=pattern
    )


def _moments(
    name: str, moments: pa.Array, nullable: bool, *, storage: str, pattern: str = ""
) -> DatetimeColumn:
    zone = ", tz=" in storage
    unit = moments.type.unit
    ticks = moments.cast(pa.timestamp(unit)).cast(pa.int64())
    resolution = _resolution(np.asarray(ticks), unit)
    if not pattern:
        fraction = ".%f" if resolution.endswith(("lisecond", "rosecond")) else ""
        pattern = f"%Y-%m-%dT%H:%M:%S{fraction}{'%z' if zone else ''}"
    ends = pc.min_max(ticks)
    low, high = (ends[end].cast(pa.timestamp(unit)) for end in ("min", "max"))
    return DatetimeColumn(
        name=name,
        nullable=nullable,
        storage=storage,
        minimum=_iso(low),
        maximum=_iso(high),
        resolution=resolution,
        format=pattern,
    )


def _resolution(ticks: np.ndarray[tuple[int, ...], np.dtype[np.int64]], unit: str) -> str:
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    steps = {"minute": 60 * per_second, "second": per_second, "millisecond": per_second // 1000}
    for name, step in steps.items():
        if step and not np.any(ticks % step):
            return name
    return "microsecond"


def _iso(moment: pa.Scalar) -> str:
    """ISO text of a timestamp scalar, to the microsecond (nanoseconds rounded down)."""
    ticks = moment.cast(pa.timestamp("us"), safe=False).as_py()
    return str(ticks.isoformat())
