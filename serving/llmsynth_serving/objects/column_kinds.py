"""What a column would be as another kind, found out from its own cells."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from llmsynth.errors import InputError
from llmsynth.schema.columns import CategoryColumn, Column, IdentifierColumn, TextColumn
from llmsynth.schema.identifier_patterns import text_pattern
from llmsynth.schema.inference import infer_schema
from llmsynth.schema.table_schema import TableSchema
from llmsynth_serving.database.records import Table
from llmsynth_serving.objects.refusals import RefusedInputError
from llmsynth_serving.service import Service

MOST_CATEGORIES = 2_000


def as_kind(service: Service, table: Table, name: str, kind: str) -> dict[str, Any]:
    """The column as JSON of a schema, with the bounds or categories that its cells have.

    Raises:
        RefusedInputError: its cells cannot be of that kind.
        SchemaError: no such column.
    """
    known = TableSchema.from_json(json.dumps(table.schema)).column(name)
    if known.kind == kind:
        return known.to_json()
    with service.storage.open(table.path) as file:
        cells = pq.ParquetFile(file).read([name]).column(0)
    texts = pc.cast(cells, pa.string())
    column = _forced(known, kind, texts) or _inferred(name, kind, cells, texts)
    if column is None:
        raise RefusedInputError(f"The cells of {name!r} cannot be read as {kind}.")
    changed = dataclasses.replace(column, nullable=known.nullable, description=known.description)
    return changed.to_json()


def _inferred(
    name: str, kind: str, cells: pa.ChunkedArray, texts: pa.ChunkedArray
) -> Column | None:
    for version, target in ((cells, None), (texts, None), (cells, name), (texts, name)):
        try:
            (column,) = infer_schema(pa.table({name: version}), target=target).columns
        except InputError:
            continue
        if column.kind == kind:
            return column
    return None


def _forced(known: Column, kind: str, texts: pa.ChunkedArray) -> Column | None:
    present = texts.combine_chunks().drop_null()
    if kind == "text":
        longest = pc.max(pc.utf8_length(present)).as_py() or 1
        return TextColumn(name=known.name, maximum_length=longest)
    if kind == "category":
        values = sorted(pc.unique(present).to_pylist())
        if len(values) > MOST_CATEGORIES:
            raise RefusedInputError(
                f"{known.name!r} has {len(values)} different values; a category may have "
                f"{MOST_CATEGORIES}."
            )
        return CategoryColumn(name=known.name, categories=tuple(values), storage=known.storage)
    if kind == "identifier":
        names = pc.unique(present).to_pylist()
        # A key's name: the person who asks says that these are names of rows.
        pattern = text_pattern("id", names) or _any_pattern(names)
        storage = known.storage if known.kind == "number" else "string"
        return IdentifierColumn(name=known.name, pattern=pattern, storage=storage)
    return None


def _any_pattern(names: list[str]) -> str:
    """Letters and digits as many as the names have, with room for names that are not there."""
    lengths = [len(name) for name in names] or [8]
    sign = r"\d" if all(name.isdecimal() for name in names) else "[0-9A-Za-z]"
    return f"{sign}{{{min(lengths)},{max(*lengths, len(str(10 * len(names))))}}}"
