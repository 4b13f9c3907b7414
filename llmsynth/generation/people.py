"""Makes up the people of rows whose columns hold only the form of their names and addresses."""

from __future__ import annotations

import pyarrow as pa

from llmsynth.personal_data.invented_people import InventedPerson
from llmsynth.schema.columns import TextColumn
from llmsynth.schema.storage import arrow_type
from llmsynth.schema.table_schema import TableSchema


def with_invented_people(
    table: pa.Table, schema: TableSchema, *, seed: int, first_row: int
) -> pa.Table:
    """The table with somebody in each row, the same in all of its columns.

    Args:
        seed: of the whole table.
        first_row: number of the table's first row.
    """
    columns = [c for c in schema.columns if isinstance(c, TextColumn) and c.invented]
    if not columns:
        return table
    forms = {column.name: table[column.name].to_pylist() for column in columns}
    made: dict[str, list[str | None]] = {column.name: [] for column in columns}
    for row in range(table.num_rows):
        person = InventedPerson(seed, first_row + row)
        for name, cells in forms.items():
            made[name].append(None if cells[row] is None else person.text(cells[row]))
    for column in columns:
        cells = pa.array(made[column.name], pa.string()).cast(arrow_type(column.storage))
        table = table.set_column(table.column_names.index(column.name), column.name, cells)
    return table
