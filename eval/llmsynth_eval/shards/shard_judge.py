"""Judges a table in Parquet files against a reference in memory: here, or a task a file on Ray."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pandas as pd

from llmsynth.errors import MissingExtraError, SettingsError
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.parquet_shards import ParquetShards
from llmsynth_eval.bootstrap import RESAMPLES
from llmsynth_eval.input_tables import Table, as_frame, check_same_columns, plan_columns
from llmsynth_eval.shards.file_work import Here, Worker
from llmsynth_eval.shards.nearest_records import NearCounts, Records
from llmsynth_eval.shards.row_weights import RowWeights
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
    holdout: Table | None = None,
    schema: TableSchema | None = None,
    intervals: bool = False,
    neighbours: bool = False,
    max_references: int | None = None,
    seed: int = 0,
    ray: OnRay | None = None,
) -> SumFigures:
    """Errors of a table of any size against the train table, from what its files add up to.

    Counts of every file are made apart and merged, so figures are the same digits however many
    workers count, and those of `judge` on all rows at once.

    Args:
        train: the reference, in memory; its values decide where numbers are cut.
        holdout: real rows that the synthesizer never saw, in memory: the floor.
        intervals: count 20 resamples, too, at 21 times the counting. Up to a million rows they
            are the resamples of `judge`; beyond, each row weighs by Poisson's law.
        neighbours: measure the DCR share of all rows, exactly; needs the holdout. The work is
            rows times references.
        max_references: most rows of train and of holdout to search, drawn by the seed as
            `judge(max_rows=...)` draws them.
        seed: of resamples and of references.
        ray: work on a cluster, a task a file.

    Raises:
        TableError: tables that differ in their columns, or hold a cell of the wrong type.
        SchemaError: a column that the schema does not describe.
        SettingsError: neighbours without a holdout, or no references.
        MissingExtraError: Ray is not installed.
    """
    if neighbours and holdout is None:
        raise SettingsError("The DCR share needs rows the synthesizer never saw: give a holdout.")
    if max_references is not None and max_references < 1:
        raise SettingsError(f"max_references must be 1 or more, got {max_references}.")
    frames = {"train": as_frame(train, role="train")}
    if holdout is not None:
        frames["holdout"] = as_frame(holdout, role="holdout")
    empty = synthetic.arrow_schema.empty_table().to_pandas()
    check_same_columns({**frames, "synthetic": empty})
    plan = plan_columns(frames["train"], schema=schema)
    reference = Reference.of(frames["train"], plan)
    weights = _weights(frames, synthetic, seed=seed, resamples=RESAMPLES if intervals else 0)
    sums = {role: _counted(frames[role], reference, weights[role], role) for role in frames}
    with _workers(ray) as workers:
        job = CountingJob(reference=reference, weights=weights["synthetic"])
        total = TableSums(reference, job.weights.resamples)
        for part in workers.each(file_sums, synthetic, job):
            total.merge(part)
        found = sum_figures(sums["train"], total)
        if holdout is not None:
            found = replace(found, floor=sum_figures(sums["train"], sums["holdout"]))
        if neighbours:
            every = {**sums, "synthetic": total}
            records = Records.of(frames, every, seed=seed, max_rows=max_references)
            near = sum(workers.each(file_neighbours, synthetic, records), NearCounts())
            found = replace(found, dcr_share=near.figure())
    return found


@dataclass(frozen=True, kw_only=True)
class CountingJob:
    """What is counted of every file."""

    reference: Reference
    weights: RowWeights


def file_sums(shards: ParquetShards, path: str, job: CountingJob) -> TableSums:
    """The counts of one file's rows."""
    sums = TableSums(job.reference, job.weights.resamples)
    first = shards.rows_before(path)
    for batch in shards.batches(job.reference.plan.names, paths=[path]):
        weights = job.weights.of(first, batch.num_rows)
        sums.add(as_frame(batch, role="synthetic"), role="synthetic", weights=weights)
        first += batch.num_rows
    return sums


def file_neighbours(shards: ParquetShards, path: str, records: Records) -> NearCounts:
    """What the rows of one file are nearer to."""
    names = [column.name for column in records.columns]
    batches = shards.batches(names, paths=[path])
    return sum(
        (records.count(as_frame(batch, role="synthetic")) for batch in batches), NearCounts()
    )


def _weights(
    frames: dict[str, pd.DataFrame], synthetic: ParquetShards, *, seed: int, resamples: int
) -> dict[str, RowWeights]:
    """Of every table, in the order in which `judge` draws them."""
    rows = {role: len(frame) for role, frame in frames.items()}
    rows = {"train": rows["train"], "synthetic": synthetic.num_rows, **rows}
    order = [role for role in ("train", "synthetic", "holdout") if role in rows]
    return {
        role: RowWeights(
            num_rows=rows[role],
            seed=seed,
            before=tuple(rows[earlier] for earlier in order[:place]),
            resamples=resamples,
        )
        for place, role in enumerate(order)
    }


def _counted(
    frame: pd.DataFrame, reference: Reference, weights: RowWeights, role: str
) -> TableSums:
    sums = TableSums(reference, weights.resamples)
    sums.add(frame, role=role, weights=weights.of(0, len(frame)))
    return sums


@contextmanager
def _workers(settings: OnRay | None) -> Iterator[Worker]:
    if settings is None:
        yield Here()
        return
    try:
        # An extra, and it takes seconds to load.
        from llmsynth_eval.shards.ray_files import cluster
    except ImportError as error:
        raise MissingExtraError(
            f"Ray is not installed: {error}.", hint="pip install 'llmsynth[ray]'"
        ) from error
    with cluster(settings.address) as workers:
        yield workers
