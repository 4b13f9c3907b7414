"""Orders for rows of a table that a model is only shown a few rows of, or told of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llmsynth.schema.table_schema import TableSchema
from llmsynth_serving.accounts.keys import Caller
from llmsynth_serving.database.records import Job, Table, new_id
from llmsynth_serving.objects import tables
from llmsynth_serving.objects.jobs import add_job, check_rows, submitted
from llmsynth_serving.objects.ownership import find
from llmsynth_serving.objects.refusals import RefusalError, RefusedInputError
from llmsynth_serving.service import Service

_CELLS = (str, int, float, bool, type(None))


def order_few_shot(
    service: Service,
    caller: Caller,
    *,
    name: str,
    schema: dict[str, Any] | None,
    schema_table_id: str | None,
    examples: Sequence[Mapping[str, Any]],
    examples_table_id: str | None,
    **order: Any,
) -> Job:
    """Queue rows by prompt; example rows in the order become a table of their own.

    Raises:
        RefusedInputError: neither schema nor examples, one of them twice, or rows that are none.
        SchemaError: the schema is none.
        QuotaError: more rows or bytes than the key may still hold.
    """
    if (schema and schema_table_id) or (examples and examples_table_id):
        raise RefusedInputError("Give the schema, and the examples, in one way each.")
    if not (schema or schema_table_id or examples or examples_table_id):
        raise RefusedInputError("Give a schema, example rows, or both.")
    ids = {"schema_table_id": schema_table_id, "examples_table_id": examples_table_id}
    plain = None if schema is None else _checked(schema)
    with service.database.session() as session:
        for table_id in filter(None, ids.values()):
            find(session, Table, table_id, project_id=caller.project_id)
        check_rows(session, caller, int(order["rows"]))
    made = None
    if examples:
        made = _stored(service, caller, examples, f"examples of {name}"[:200])
        ids["examples_table_id"] = made.id
    try:
        with service.database.session() as session:
            spec = {**ids, "table_id": new_id(), "schema": plain, **order}
            job = add_job(session, caller, kind="few-shot", name=name, spec=spec)
    except RefusalError:
        if made is not None:
            tables.delete(service, caller, made.id)
        raise
    return submitted(service, job)


def _checked(schema: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(schema)
    if r"\u0000" in text:
        raise RefusedInputError("schema: it holds NUL characters.")
    plain: dict[str, Any] = json.loads(TableSchema.from_json(text).to_json())
    return plain


def _stored(
    service: Service, caller: Caller, rows: Sequence[Mapping[str, Any]], name: str
) -> Table:
    """The rows as a table that can be seen, corrected and deleted like any other."""
    names = dict.fromkeys(column for row in rows for column in row)
    for column in names:
        if not all(isinstance(row.get(column), _CELLS) for row in rows):
            raise RefusedInputError(
                f"examples: {column!r} holds a list or an object; a cell is a text, a number, "
                "true, false or null."
            )
    with tables.arriving_file(service) as path:
        try:
            cells = {column: pa.array([row.get(column) for row in rows]) for column in names}
            pq.write_table(pa.table(cells), path)
        except (pa.ArrowException, UnicodeError, OverflowError) as error:
            raise RefusedInputError(f"examples: the rows make no table: {error}.") from error
        return tables.take_in(service, caller, path, name=name)
