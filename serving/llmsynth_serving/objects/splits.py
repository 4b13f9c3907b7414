"""A table parted in two by chance: rows to learn from, and rows set aside to judge with."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from llmsynth.schema.table_schema import TableSchema
from llmsynth_serving.accounts.audit import note
from llmsynth_serving.accounts.keys import Caller
from llmsynth_serving.database.records import Table, new_id
from llmsynth_serving.objects.ownership import find
from llmsynth_serving.objects.profiles import of_file
from llmsynth_serving.objects.refusals import RefusedInputError
from llmsynth_serving.objects.tables import check_storage
from llmsynth_serving.service import Service

PARTS = ("train", "holdout")
FEWEST_ROWS = 10


def split(
    service: Service, caller: Caller, table_id: str, *, holdout_share: float, seed: int
) -> tuple[Table, Table]:
    """Make two tables of one, which stays as it is; each row goes to one of them.

    Returns:
        train and holdout, both with the schema of the whole.

    Raises:
        RefusedInputError: too few rows for two tables.
        QuotaError: the key's storage is used up.
    """
    with service.database.reading() as session:
        whole = find(session, Table, table_id, project_id=caller.project_id)
    held_out = round(whole.num_rows * holdout_share)
    if whole.num_rows < FEWEST_ROWS or not 0 < held_out < whole.num_rows:
        raise RefusedInputError(
            f"{whole.num_rows} rows cannot be parted into {1 - holdout_share:.0%} and "
            f"{holdout_share:.0%}."
        )
    check_storage(service, caller, whole.num_bytes)
    is_held_out = np.zeros(whole.num_rows, bool)
    is_held_out[np.random.default_rng(seed).permutation(whole.num_rows)[:held_out]] = True
    train, holdout = (
        _part(service, whole, part, mask)
        for part, mask in zip(PARTS, (~is_held_out, is_held_out), strict=True)
    )
    with service.database.session() as session:
        session.add_all([train, holdout])
        made = {"train_id": train.id, "holdout_id": holdout.id}
        note(session, caller, "split", kind="table", object_id=table_id, **made)
    return train, holdout


def _part(
    service: Service, whole: Table, part: str, mask: np.ndarray[Any, np.dtype[np.bool_]]
) -> Table:
    table_id = new_id()
    path = f"tables/{table_id}/{part}.parquet"
    with service.storage.open(whole.path) as source, service.storage.writing(path) as target:
        _write(pq.ParquetFile(source), mask, target)
    with service.storage.open(path) as file:
        profile = of_file(file, TableSchema.from_json(json.dumps(whole.schema)))
    return Table(
        id=table_id,
        project_id=whole.project_id,
        name=f"{whole.name[:190]} {part}",
        num_rows=int(mask.sum()),
        num_columns=whole.num_columns,
        num_bytes=service.storage.size(path),
        path=path,
        schema=whole.schema,
        profile=profile,
    )


def _write(source: pq.ParquetFile, mask: np.ndarray[Any, Any], target: object) -> None:
    with pq.ParquetWriter(target, source.schema_arrow, compression="zstd") as writer:
        first = 0
        for batch in source.iter_batches():
            rows = batch.filter(pa.array(mask[first : first + batch.num_rows]))
            writer.write_batch(rows)
            first += batch.num_rows
