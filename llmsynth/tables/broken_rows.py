"""Which rows of a typed table break a declared constraint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.errors import SchemaError
from llmsynth.schema.columns import Column
from llmsynth.schema.constraints import (
    Constraint,
    FixedCombinations,
    Inequality,
    MissingExactlyWhen,
    Sum,
)
from llmsynth.schema.storage import arrow_type
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.cells import parse_cells


def violations(table: pa.Table, constraint: Constraint) -> npt.NDArray[np.bool_]:
    """Which rows break a constraint; bool (rows,)."""
    match constraint:
        case Inequality(low=low, high=high, strict=strict):
            compare = pc.greater_equal if strict else pc.greater
            broken = compare(table[low], table[high])
        case Sum(parts=parts, total=total):
            broken = _is_other_sum([table[name] for name in parts], table[total])
        case MissingExactlyWhen(column=column, when=when, equals=equals):
            holds = pc.equal(table[when].cast(pa.string()), equals).fill_null(False)
            broken = pc.not_equal(table[column].is_null(), holds)
        case FixedCombinations(columns=columns, combinations=combinations):
            held, row_of = distinct_rows(table, columns)
            known = set(combinations)
            return np.array([row not in known for row in held], dtype=np.bool_)[row_of]
    return np.asarray(broken.fill_null(False).to_numpy())


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
    if isinstance(constraint, MissingExactlyWhen):
        equals = _spelled(schema.column(constraint.when), constraint.equals)
        return replace(constraint, equals=str(equals))
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
