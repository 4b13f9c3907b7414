"""Which rows of a typed table break a declared constraint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.errors import SchemaError
from llmsynth.schema.columns import Column
from llmsynth.schema.constraints import (
    Computed,
    ConstantWhen,
    Constraint,
    FixedCombinations,
    Inequality,
    Lookup,
    MissingExactlyWhen,
    Sum,
)
from llmsynth.schema.storage import arrow_type
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.cells import parse_cells
from llmsynth.tables.computed_cells import is_other_value, looked_up


def broken_rows(table: pa.Table, constraints: Iterable[Constraint]) -> npt.NDArray[np.bool_]:
    """Which rows break any of the constraints; bool (rows,)."""
    broken = np.zeros(table.num_rows, dtype=np.bool_)
    for constraint in constraints:
        broken |= violations(table, constraint)
    return broken


def violations(table: pa.Table, constraint: Constraint) -> npt.NDArray[np.bool_]:
    """Which rows break a constraint; bool (rows,)."""
    match constraint:
        case Computed():
            return is_other_value(table, constraint)
        case Lookup(column=column):
            expected, is_known = looked_up(table, constraint)
            return np.asarray(is_known & _differs(table[column], expected))
        case ConstantWhen(column=column, value=value, when=when, equals=equals):
            return holds(table[when], equals) & ~holds(table[column], value)
        case Inequality(low=low, high=high, strict=strict):
            compare = pc.greater_equal if strict else pc.greater
            broken = compare(table[low], table[high])
        case Sum(parts=parts, total=total):
            broken = _is_other_sum([table[name] for name in parts], table[total])
        case MissingExactlyWhen(column=column, when=when, equals=equals):
            return np.asarray(holds(table[when], equals) != holds(table[column], None))
        case FixedCombinations(columns=columns, combinations=combinations):
            held, row_of = distinct_rows(table, columns)
            known = set(combinations)
            return np.array([row not in known for row in held], dtype=np.bool_)[row_of]
    return np.asarray(broken.fill_null(False).to_numpy())


def holds(cells: pa.ChunkedArray, text: str | None) -> npt.NDArray[np.bool_]:
    """Cells that are spelled so; None: that are missing."""
    if text is None:
        return np.asarray(cells.is_null().to_numpy())
    return np.asarray(pc.equal(cells.cast(pa.string()), text).fill_null(False).to_numpy())


def _differs(cells: pa.ChunkedArray, expected: pa.Array) -> npt.NDArray[np.bool_]:
    found = cells.cast(pa.string()).combine_chunks()
    both = np.asarray(pc.not_equal(found, expected).fill_null(False).to_numpy(zero_copy_only=False))
    gaps = [np.asarray(one.is_null().to_numpy(zero_copy_only=False)) for one in (found, expected)]
    return np.asarray(both | (gaps[0] != gaps[1]))


def distinct_rows(
    table: pa.Table, columns: Sequence[str]
) -> tuple[list[tuple[str | None, ...]], npt.NDArray[np.int64]]:
    """The combinations that some columns hold, as cell texts, and each row's place among them."""
    place = np.zeros(table.num_rows, dtype=np.int64)
    held: list[tuple[str | None, ...]] = [()]
    for name in columns:
        cells = table[name].cast(pa.string()).combine_chunks()
        coded = cells.dictionary_encode(null_encoding="encode")
        words = coded.dictionary.to_pylist()
        joint = place * len(words) + coded.indices.to_numpy(zero_copy_only=False)
        seen, place = np.unique(joint, return_inverse=True)
        held = [(*held[code // len(words)], words[code % len(words)]) for code in seen.tolist()]
    return held, place.astype(np.int64)


def spelled(schema: TableSchema, constraint: Constraint) -> Constraint:
    """The constraint with every text that stands for a cell in the spelling of Arrow.

    Raises:
        SchemaError: a text is no cell of its column.
    """
    if isinstance(constraint, FixedCombinations):
        columns = [schema.column(name) for name in constraint.columns]
        rows = (tuple(map(_spelled, columns, row)) for row in constraint.combinations)
        return replace(constraint, combinations=tuple(rows))
    if isinstance(constraint, Lookup):
        key, column = (schema.column(name) for name in constraint.columns)
        entries = [(_spelled(key, at), _spelled(column, cell)) for at, cell in constraint.entries]
        return replace(constraint, entries=tuple(entries))
    if isinstance(constraint, MissingExactlyWhen):
        return replace(
            constraint, equals=_spelled(schema.column(constraint.when), constraint.equals)
        )
    if isinstance(constraint, ConstantWhen):
        return replace(
            constraint,
            equals=_spelled(schema.column(constraint.when), constraint.equals),
            value=_spelled(schema.column(constraint.column), constraint.value),
        )
    return constraint


def _spelled(column: Column, text: str | None) -> str | None:
    """A cell's text, however the user wrote it, in the spelling of Arrow."""
    if text is None:
        return None
    cells = pa.array([text], pa.string())
    try:
        typed = cells.cast(arrow_type(column.storage))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        typed = parse_cells(column, cells)
    if typed.null_count:
        raise SchemaError(
            f"A constraint expects {text!r} in column {column.name!r}, which is no {column.kind}."
        )
    return str(typed.cast(pa.string())[0])


def _is_other_sum(parts: Sequence[pa.ChunkedArray], total: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whether parts do not add up; exact for whole numbers, to nine digits for others."""
    columns = (*parts, total)
    is_whole = all(pa.types.is_signed_integer(column.type) for column in columns)
    numbers = [column.cast(pa.int64() if is_whole else pa.float64()) for column in columns]
    summed = numbers[0]
    for number in numbers[1:-1]:
        summed = pc.add(summed, number)
    if is_whole:
        return pc.not_equal(summed, numbers[-1])
    apart = pc.abs(pc.subtract(summed, numbers[-1]))
    return pc.greater(apart, pc.multiply(pc.add(pc.abs(summed), 1.0), 1e-9))


def cell_texts(column: pa.ChunkedArray) -> list[str | None]:
    """Every cell as Arrow spells it, None where it is missing."""
    return column.cast(pa.string()).to_pylist()  # type: ignore[no-any-return]
