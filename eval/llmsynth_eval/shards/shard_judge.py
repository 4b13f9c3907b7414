"""Judges a table in Parquet files against a reference in memory: here, or a task a file on Ray."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llmsynth.errors import MissingExtraError
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.parquet_shards import ParquetShards
from llmsynth_eval.input_tables import Table, as_frame, check_same_columns, plan_columns
from llmsynth_eval.shards.sum_figures import SumFigures, sum_figures
from llmsynth_eval.shards.table_sums import Reference, TableSums


@dataclass(frozen=True, kw_only=True)
class OnRay:
    """Count on a Ray cluster; every node must reach the files."""

    address: str | None = None


def judge_shards(
    train: Table,
    synthetic: ParquetShards,
    *,
    schema: TableSchema | None = None,
    ray: OnRay | None = None,
) -> SumFigures:
    """Shape and trend errors of a table of any size against the train table.

    The figures that are sums: counts of every file are made apart and merged, so they are the
    same digits however many workers count, and those of `judge` on all rows at once. Without
    intervals, which resample rows.

    Args:
        train: the reference, in memory; its values decide where numbers are cut.
        ray: count on a cluster, a task a file.

    Raises:
        TableError: tables that differ in their columns, or hold a cell of the wrong type.
        SchemaError: a column that the schema does not describe.
        MissingExtraError: Ray is not installed.
    """
    frame = as_frame(train, role="train")
    check_same_columns(
        {"train": frame, "synthetic": synthetic.arrow_schema.empty_table().to_pandas()}
    )
    plan = plan_columns(frame, schema=schema)
    reference = Reference.of(frame, plan)
    own = TableSums(reference)
    own.add(frame, role="train")
    parts = _here(synthetic, reference) if ray is None else _on_ray(synthetic, reference, ray)
    total = TableSums(reference)
    for part in parts:
        total.merge(part)
    return sum_figures(own, total)


def file_sums(shards: ParquetShards, path: str, reference: Reference) -> TableSums:
    """The counts of one file's rows."""
    sums = TableSums(reference)
    for batch in shards.batches(reference.plan.names, paths=[path]):
        sums.add(as_frame(batch, role="synthetic"), role="synthetic")
    return sums


def _here(shards: ParquetShards, reference: Reference) -> Iterator[TableSums]:
    for path in shards.paths:
        yield file_sums(shards, path, reference)


def _on_ray(shards: ParquetShards, reference: Reference, settings: OnRay) -> Iterator[TableSums]:
    try:
        # An extra, and it takes seconds to load.
        from llmsynth_eval.shards.ray_sums import counted_on_ray
    except ImportError as error:
        raise MissingExtraError(
            f"Ray is not installed: {error}.", hint="pip install 'llmsynth[ray]'"
        ) from error
    return counted_on_ray(shards, reference, settings.address)
