"""A table's schema in one pass over batches, which shards can make apart and merge."""

from __future__ import annotations

import pyarrow as pa

from llmsynth.errors import TableError
from llmsynth.schema.evidence import KEPT, ColumnEvidence
from llmsynth.schema.inference import decided, refuse_unsupported
from llmsynth.schema.storage import plain
from llmsynth.schema.table_schema import TableSchema


class TableEvidence:
    """What the rows so far tell of each column; memory does not grow with their number.

    Args:
        kept: distinct values a column may have for its answer to be that of `infer_schema`.
    """

    def __init__(self, *, kept: int = KEPT) -> None:
        self._kept = kept
        self._columns: dict[str, ColumnEvidence] | None = None
        self.num_rows = 0

    def add(self, batch: pa.Table) -> None:
        """Take in the next rows.

        Raises:
            TableError: a column that cannot be learned, or not the columns of the rows before.
        """
        self.num_rows += batch.num_rows
        cells = {name: plain(batch.column(name)) for name in batch.column_names}
        if self._columns is None:
            for name, column in cells.items():
                refuse_unsupported(name, column.type)
            self._columns = {
                name: ColumnEvidence(name, column.type, kept=self._kept)
                for name, column in cells.items()
            }
        _check_alike(self._kinds(), {name: column.type for name, column in cells.items()})
        for name, column in cells.items():
            self._columns[name].add(column)

    def merge(self, after: TableEvidence) -> None:
        """Take in what was gathered of the rows behind these; `after` is of no use afterwards.

        Raises:
            TableError: other columns.
        """
        self.num_rows += after.num_rows
        if self._columns is None:
            self._columns = after._columns
        elif after._columns is not None:
            _check_alike(self._kinds(), after._kinds())
            for name, column in self._columns.items():
                column.merge(after._columns[name])

    def schema(self, *, target: str | None = None) -> TableSchema:
        """The schema; see `infer_schema`.

        Raises:
            TableError: no rows, or an unknown target.
        """
        if self._columns is None or not self.num_rows:
            raise TableError("A schema is inferred from rows, and the table has none.")
        if target is not None and target not in self._columns:
            raise TableError(
                f"The target {target!r} is no column of the table.",
                hint=f"It has {', '.join(map(repr, self._columns))}.",
            )
        return decided(list(self._columns.values()), target)

    def _kinds(self) -> dict[str, pa.DataType]:
        return {name: column.kind for name, column in (self._columns or {}).items()}


def _check_alike(before: dict[str, pa.DataType], now: dict[str, pa.DataType]) -> None:
    if before != now:
        odd = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        raise TableError(
            f"Column {odd[0]!r} is {before.get(odd[0])} in one part of the table and "
            f"{now.get(odd[0])} in another.",
            hint="Write all parts with the same columns and types.",
        )
