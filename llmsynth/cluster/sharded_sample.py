"""Draws a table as a folder of Parquet shards, here or on Ray, and goes on where a run ended."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from llmsynth.cluster.manifest import Manifest, ShardRecord
from llmsynth.cluster.ray_settings import RaySettings
from llmsynth.cluster.sample_order import SampleOrder, bundle_files, bundle_hash
from llmsynth.cluster.shard_folder import ShardFolder
from llmsynth.cluster.shard_plan import Shard, plan, shard_rows
from llmsynth.cluster.shard_writer import ShardWriter, Stopped
from llmsynth.errors import EngineError, MissingExtraError, SettingsError
from llmsynth.generation.generator import SamplingSettings
from llmsynth.generation.sample import SampleReport
from llmsynth.progress import Progress, Step, silent
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth.tables.reading import read_table

if TYPE_CHECKING:
    from llmsynth.tables.reading import TableSource

Records: TypeAlias = Generator[ShardRecord | None, None, None]


def sample_shards(
    bundle: str | Path,
    rows: int | None,
    out: str | os.PathLike[str],
    *,
    settings: SamplingSettings | None = None,
    where: Mapping[str, object] | None = None,
    given: TableSource | None = None,
    ray: RaySettings | None = None,
    progress: Progress = silent,
    is_stopped: Callable[[], bool] = lambda: False,
) -> SampleReport:
    """Draw `rows` rows into Parquet shards under `out`; the same call goes on where one ended.

    Rows and files are the same on one machine and on any number of workers.

    Args:
        bundle: folder of a saved synthesizer.
        rows: may be omitted with `given`, which brings its own number.
        out: a folder, or an address that fsspec knows, such as `s3://bucket/table`. On Ray every
            node must reach it.
        settings: seed and sharpness; after `max_seconds` no shard is begun.
        ray: draw on a Ray cluster.
        is_stopped: asked between shards, and here within one; what is done stays.

    Returns:
        The account of all shards; `is_partial` where some are missing.

    Raises:
        ConditionError, SettingsError: what is asked for cannot be drawn, or `out` holds
            something else.
        EngineError: workers were lost more often than can be chance.
        MissingExtraError: Ray, or what reaches `out`, is not installed.
    """
    synthesizer = Synthesizer.load(bundle)
    files = bundle_files(Path(bundle))
    order = _order(synthesizer, bundle_hash(files), rows, settings, where, given)
    _try_last_row(synthesizer, order)
    folder = ShardFolder(out)
    manifest = Manifest(folder, order.facts())
    manifest.open()
    shards = plan(order.rows, order.shard_rows)
    left = manifest.missing(shards)
    limit = None if settings is None else settings.max_seconds
    clock = _Clock(order.rows, limit, is_stopped, progress)
    if ray is None:
        writer = ShardWriter(synthesizer, order, folder, is_stopped=is_stopped)
        records = _one_by_one(writer, left)
    else:
        del synthesizer
        records = _on_ray(ray, files, order, folder, left)
    with closing(records):
        _collect(records, manifest, folder, clock)
    is_complete = not manifest.missing(shards)
    manifest.write(is_complete=is_complete)
    if is_complete:
        folder.remove_unfinished()
    report = manifest.total()
    report.asked, report.seconds = order.rows, clock.seconds()
    report.stopped = "complete" if is_complete else clock.reason()
    return report


class _Clock:
    """How far a run is, and whether it has to end."""

    def __init__(
        self, rows: int, limit: float | None, is_stopped: Callable[[], bool], progress: Progress
    ) -> None:
        self._rows, self._limit, self._progress = rows, limit, progress
        self._is_stopped = is_stopped
        self._started = time.monotonic()
        self._before: int | None = None

    def seconds(self) -> float:
        return time.monotonic() - self._started

    def is_over(self) -> bool:
        late = self._limit is not None and self.seconds() > self._limit
        return late or self._is_stopped()

    def reason(self) -> str:
        return "interrupted" if self._is_stopped() else "time"

    def tell(self, done: int) -> None:
        """Report the rows there are; what lay there already tells nothing of the speed."""
        if self._before is None:
            self._before = done
        drawn = done - self._before
        left = self.seconds() * (self._rows - done) / drawn if drawn else None
        self._progress(Step(stage="sample", done=done, total=self._rows, seconds_left=left))


def _collect(
    records: Records,
    manifest: Manifest,
    folder: ShardFolder,
    clock: _Clock,
) -> None:
    """Note each shard as it comes, until all are there or the run has to end."""
    done = sum(record.rows for record in manifest.done.values())
    clock.tell(done)
    try:
        while not clock.is_over():
            try:
                record = next(records)
            except StopIteration:
                return
            if record is None:
                continue
            if folder.size(record.file) != record.bytes:
                raise EngineError(
                    f"A worker wrote {record.file}, and {folder.address} does not show it.",
                    hint="On several machines --out has to be a folder that all of them share, "
                    "or a bucket.",
                )
            manifest.add(record)
            done += record.rows
            clock.tell(done)
    except Stopped:
        return
    finally:
        manifest.write(is_complete=False)


def _one_by_one(writer: ShardWriter, shards: Sequence[Shard]) -> Records:
    for shard in shards:
        yield writer.write(shard)


def _on_ray(
    settings: RaySettings,
    files: Mapping[str, bytes],
    order: SampleOrder,
    folder: ShardFolder,
    shards: Sequence[Shard],
) -> Records:
    try:
        # Ray is an extra, and takes seconds to load.
        from llmsynth.cluster.ray_pool import drawn_on_ray
    except ImportError as error:
        raise MissingExtraError(
            f"Ray is not installed: {error}.", hint="pip install 'llmsynth[ray]'"
        ) from error
    return drawn_on_ray(settings, files, order, folder, shards)


def _order(
    synthesizer: Synthesizer,
    bundle_sha256: str,
    rows: int | None,
    settings: SamplingSettings | None,
    where: Mapping[str, object] | None,
    given: TableSource | None,
) -> SampleOrder:
    settings = settings or SamplingSettings()
    if settings.first_row:
        raise SettingsError("first_row must be 0: shards number their rows themselves.")
    table = None if given is None else read_table(given, missing=synthesizer.missing)
    if table is not None and rows not in (None, table.num_rows):
        raise SettingsError(f"{rows} rows are asked for, and {table.num_rows} are given.")
    count = rows if table is None else table.num_rows
    if count is None or count < 1:
        raise SettingsError(f"Expected one row or more, got {count}.")
    return SampleOrder(
        synthesizer=bundle_sha256,
        rows=count,
        shard_rows=shard_rows(count, synthesizer.block_rows),
        settings=settings,
        where=dict(where or {}),
        given=table,
    )


def _try_last_row(synthesizer: Synthesizer, order: SampleOrder) -> None:
    """Draw the last row: what cannot be drawn is refused before anything is written."""
    settings, given = order.part(Shard(0, order.rows - 1, 1))
    # All given rows are checked, one is drawn.
    if order.given is not None:
        synthesizer.iter_sample(None, where=order.where, given=order.given, settings=settings)
    _, chunks = synthesizer.iter_sample(
        1, where=order.where, given=given, settings=replace(settings, max_attempts=1)
    )
    next(chunks)
