"""Cells that follow from other cells of their row: formulas and tables of known values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.errors import SchemaError
from llmsynth.schema.constraints import Computed, Lookup
from llmsynth.schema.storage import is_number

Numbers = npt.NDArray[np.float64]

_SECONDS_A_DAY = 86_400


def formula_values(table: pa.Table, rule: Computed) -> Numbers:
    """What the formula gives in every row; float64 (rows,), NaN where a part is missing.

    Not yet rounded. A division by zero gives NaN.

    Raises:
        SchemaError: a part or an argument is of a kind that the formula does not take.
    """
    if rule.formula in ("product", "ratio", "linear"):
        parts = [numbers_of(table, name) for name in rule.parts]
        arguments = [_number(rule, text) for text in rule.arguments]
        with np.errstate(all="ignore"):
            match rule.formula:
                case "product":
                    out = np.prod(parts, axis=0)
                case "ratio":
                    out = (arguments or [1.0])[0] * parts[0] / parts[1]
                case _:
                    out = arguments[0] * parts[0] + arguments[1]
        return np.where(np.isfinite(out), out, np.nan)
    moments = [_moments(table, name) for name in rule.parts]
    return _calendar_values(rule, moments)


def numbers_of(table: pa.Table, name: str) -> Numbers:
    """A column's cells as numbers; float64 (rows,), NaN where missing.

    Raises:
        SchemaError: the column holds no numbers.
    """
    cells = table[name].combine_chunks()
    if not (is_number(cells.type) or pa.types.is_boolean(cells.type)):
        raise SchemaError(f"A formula needs numbers; column {name!r} holds {cells.type}.")
    values = cells.cast(pa.float64(), safe=False).fill_null(np.nan)
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def is_other_value(table: pa.Table, rule: Computed) -> npt.NDArray[np.bool_]:
    """Rows whose cell differs from what the formula gives; bool (rows,).

    A value that lies half a step between two roundings may be either of them. Rows in which a part
    is missing break the rule where the cell is not missing, and the other way round.
    """
    expected, found = formula_values(table, rule), numbers_of(table, rule.column)
    reach = 0.5 * 10.0**-rule.decimals * (1 + 1e-9) + 1e-9 * np.abs(np.nan_to_num(expected))
    with np.errstate(invalid="ignore"):
        differs = np.abs(expected - found) > reach
    return np.asarray(differs | (np.isnan(expected) != np.isnan(found)))


def computed_cells(table: pa.Table, rule: Computed, kind: pa.DataType) -> pa.Array:
    """The column's cells by the formula, in its storage type `kind`; missing where a part is."""
    return rounded_cells(formula_values(table, rule), rule.decimals, kind)


def rounded_cells(values: Numbers, decimals: int, kind: pa.DataType) -> pa.Array:
    """Numbers as cells of the type `kind`, rounded; missing where they are not finite."""
    absent = ~np.isfinite(values)
    values = np.asarray(np.where(absent, 0.0, values).round(decimals), dtype=np.float64)
    if pa.types.is_integer(kind):
        return pa.array(values.astype(np.int64), mask=absent).cast(kind, safe=False)
    if pa.types.is_decimal(kind):
        texts = [f"{value:.{kind.scale}f}" for value in values]
        return pa.array(texts, pa.string(), mask=absent).cast(kind)
    return pa.array(values, pa.float64(), mask=absent).cast(kind)


def looked_up(table: pa.Table, rule: Lookup) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """The column's cells by their rows' keys, as Arrow spells them, and where the key is known.

    Returns:
        string (rows,), null where the entry is missing or the key unknown; bool (rows,).
    """
    entries = dict(rule.entries)
    keys = (
        table[rule.key].cast(pa.string()).combine_chunks().dictionary_encode(null_encoding="encode")
    )
    words = keys.dictionary.to_pylist()
    at = keys.indices.to_numpy(zero_copy_only=False)
    is_known = np.array([word in entries for word in words], dtype=np.bool_)
    cells = pa.array([entries.get(word) for word in words], pa.string())
    if not len(words):
        return pa.nulls(len(at), pa.string()), np.zeros(len(at), dtype=np.bool_)
    return cells.take(pa.array(at)), is_known[at]


def _number(rule: Computed, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise SchemaError(
            f"Constraint computed of {rule.column!r}: {text!r} is not a number."
        ) from error


def _moments(table: pa.Table, name: str) -> pa.Array:
    found = table[name].combine_chunks()
    if not pa.types.is_temporal(found.type):
        raise SchemaError(f"A formula needs dates; column {name!r} holds {found.type}.")
    if pa.types.is_timestamp(found.type):
        # Offsets are dropped: the clock that a reader sees decides the day.
        return found.cast(pa.timestamp(found.type.unit)).cast(pa.timestamp("us"), safe=False)
    return found.cast(pa.timestamp("us"))


def _calendar_values(rule: Computed, moments: Sequence[pa.Array]) -> Numbers:
    start = moments[0]
    match rule.formula:
        case "days":
            days = [_floats(pc.floor_temporal(one, unit="day").cast(pa.int64())) for one in moments]
            return (days[1] - days[0]) / (_SECONDS_A_DAY * 1e6)
        case "age":
            end = moments[1] if len(moments) == 2 else _day(rule)
            return _full_years(start, end)
        case "is_weekend":
            return _where(start, _floats(pc.day_of_week(start)) >= 5)
    functions = {
        "year": pc.year,
        "month": pc.month,
        "day": pc.day,
        "weekday": pc.day_of_week,
        "quarter": pc.quarter,
        "hour": pc.hour,
        "day_of_year": pc.day_of_year,
    }
    offset = _number(rule, rule.arguments[0]) if rule.arguments else 0.0
    values = _floats(functions[rule.formula](start)) + offset
    return np.mod(values, 7) if rule.formula == "weekday" else values


def _day(rule: Computed) -> pa.Array:
    try:
        day = dt.date.fromisoformat(rule.arguments[0])
    except (IndexError, ValueError) as error:
        raise SchemaError(
            f"Constraint computed of {rule.column!r}: age takes a second part, or a day such as "
            "2024-07-01."
        ) from error
    return pa.array([dt.datetime.combine(day, dt.time())], pa.timestamp("us"))


def _full_years(start: pa.Array, end: pa.Array) -> Numbers:
    from_year, to_year = _floats(pc.year(start)), _floats(pc.year(end))
    early = [100 * _floats(pc.month(one)) + _floats(pc.day(one)) for one in (start, end)]
    return np.asarray(to_year - from_year - (early[1] < early[0]), dtype=np.float64) + 0 * from_year


def _floats(values: pa.Array) -> Numbers:
    floats = values.cast(pa.float64()).fill_null(np.nan)
    return np.asarray(floats.to_numpy(zero_copy_only=False), dtype=np.float64)


def _where(start: pa.Array, is_true: npt.NDArray[np.bool_]) -> Numbers:
    absent = np.asarray(start.is_null().to_numpy(zero_copy_only=False))
    return np.where(absent, np.nan, is_true.astype(np.float64))
