"""Columns that follow from others: computed once a row is written, or solved for where given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.codec.number_grid import NumberGrid
from llmsynth.schema.columns import CategoryColumn, Column, NumberColumn
from llmsynth.schema.constraints import Computed, Constraint, Lookup, Sum
from llmsynth.schema.storage import arrow_type
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.computed_cells import computed_cells, looked_up, numbers_of, rounded_cells


def follows(constraint: Constraint) -> str | None:
    """The column that a constraint computes from the others; None where it computes none."""
    match constraint:
        case Sum(total=column) | Computed(column=column) | Lookup(column=column):
            return column
    return None


def with_computed(table: pa.Table, schema: TableSchema, given: Sequence[str]) -> pa.Table:
    """The table with every cell that follows from others computed, unless it was given.

    Rules are followed in an order in which parts come before what is computed from them. A cell
    stays as it was drawn where its column cannot hold what comes out (too large, too small, finer
    than its last digit, missing where it never is), and where a sum's total or a part is missing.
    """
    for constraint in _parts_first(schema.constraints):
        column = follows(constraint)
        if column is None or column in given:
            continue
        index = table.schema.get_field_index(column)
        drawn = table[column].combine_chunks()
        match constraint:
            case Sum():
                cells = _totals(table, schema, constraint)
            case Computed():
                cells = computed_cells(table, constraint, drawn.type)
                cells = _where_held(schema.column(column), cells, drawn)
            case Lookup():
                texts, is_known = looked_up(table, constraint)
                cells = pc.if_else(pa.array(is_known), texts.cast(drawn.type), drawn)
        table = table.set_column(index, column, cells)
    return table


def with_solved(table: pa.Table, schema: TableSchema, given: Sequence[str]) -> pa.Table:
    """The table with one part of each given total solved for: of a sum, of a product.

    The model has drawn the parts under the total, so they nearly agree. The part that is drawn and
    has the most values is made to agree, where its column can hold what comes out.
    """
    for rule in schema.constraints:
        if not isinstance(rule, Sum | Computed) or (total := follows(rule)) not in given:
            continue
        is_product = isinstance(rule, Computed)
        if isinstance(rule, Computed) and rule.formula != "product":
            continue
        open_parts = [schema.column(name) for name in rule.columns if name not in given]
        numbers = [column for column in open_parts if isinstance(column, NumberColumn)]
        if not numbers:
            continue
        part = max(numbers, key=lambda column: NumberGrid(column).high - NumberGrid(column).low)
        others = [numbers_of(table, name) for name in rule.parts if name != part.name]
        goal = numbers_of(table, str(total))
        with np.errstate(all="ignore"):
            value = goal / np.prod(others, axis=0) if is_product else goal - np.sum(others, axis=0)
        cells = rounded_cells(value, part.scale, arrow_type(part.storage))
        index = table.schema.get_field_index(part.name)
        drawn = table[part.name].combine_chunks()
        table = table.set_column(index, part.name, _where_held(part, cells, drawn))
    return table


def _parts_first(constraints: Sequence[Constraint]) -> list[Constraint]:
    """The constraints, each behind those that compute one of its parts; a circle stays as it is."""
    waiting, out = list(constraints), []
    while waiting:
        computed = {follows(one) for one in waiting} - {None}
        free = [c for c in waiting if not computed & ({*c.columns} - {follows(c)})] or waiting
        out += free
        waiting = [constraint for constraint in waiting if constraint not in free]
    return out


def _where_held(column: Column, cells: pa.Array, drawn: pa.Array) -> pa.Array:
    """The computed cells where the column can hold them, what was drawn elsewhere."""
    fits = cells.is_valid()
    if isinstance(column, NumberColumn):
        low, high = (float(bound) for bound in column.bounds)
        values = cells.cast(pa.float64(), safe=False)
        inside = pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high))
        fits = pc.and_(fits, inside.fill_null(False))
    elif isinstance(column, CategoryColumn):
        known = pa.array(column.categories, pa.string())
        fits = pc.is_in(cells.cast(pa.string()), value_set=known)
    if column.nullable:
        fits = pc.or_(fits, cells.is_null())
    return pc.if_else(fits, cells, drawn)


def _totals(table: pa.Table, schema: TableSchema, constraint: Sum) -> pa.Array:
    columns = [schema.column(name) for name in constraint.columns]
    numbers = [column for column in columns if isinstance(column, NumberColumn)]
    scale = max(column.scale for column in numbers)
    drawn = table[constraint.total].combine_chunks()
    fits = drawn.is_valid().to_numpy(zero_copy_only=False)
    summed = np.zeros(table.num_rows, dtype=object)
    for column in numbers[:-1]:
        cells, grid = table[column.name].combine_chunks(), NumberGrid(column)
        fits &= cells.is_valid().to_numpy(zero_copy_only=False)
        # Python integers: the sum of two columns may need more than 64 bits.
        summed += grid.units(cells).astype(object) * (grid.zeros * 10 ** (scale - column.scale))
    grid = NumberGrid(numbers[-1])
    step = grid.zeros * 10 ** (scale - numbers[-1].scale)
    units = summed // step
    fits &= (summed % step == 0) & (units >= grid.low) & (units <= grid.high)
    return pc.coalesce(grid.cells(np.where(fits, units, grid.low), ~fits), drawn)
