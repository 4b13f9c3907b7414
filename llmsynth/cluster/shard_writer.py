"""One worker's work: draws a shard of a table and leaves it as a file, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

import pyarrow as pa
import pyarrow.parquet as pq

from llmsynth.cluster.manifest import ShardRecord
from llmsynth.cluster.sample_order import SampleOrder
from llmsynth.cluster.shard_folder import ShardFolder
from llmsynth.cluster.shard_plan import Shard
from llmsynth.errors import SettingsError
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth.tables.conforming import conform

_FACTS = b"llmsynth.shard"


class Stopped(Exception):  # noqa: N818 - a request that was heard, no error
    """The shard under way was given up on request; its file is gone."""


class ShardWriter:
    """Draws shards of one order with one synthesizer.

    Args:
        is_stopped: asked between two pieces of a shard.
    """

    def __init__(
        self,
        synthesizer: Synthesizer,
        order: SampleOrder,
        folder: ShardFolder,
        *,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._synthesizer, self._order, self._folder = synthesizer, order, folder
        self._fingerprint = order.fingerprint()
        self._is_stopped = is_stopped

    def write(self, shard: Shard) -> ShardRecord:
        """Draw a shard and leave its file; one that is there already is not drawn again.

        A worker may be lost after its file got its name and before anybody heard of it.

        Raises:
            SettingsError: a file of that name belongs to another table.
            Stopped: `is_stopped` said so.
        """
        if self._folder.size(shard.file) is None:
            with self._folder.writing(shard.file) as path:
                self._draw(shard, str(path))
        return self._record(shard)

    def _draw(self, shard: Shard, path: str) -> None:
        settings, given = self._order.part(shard)
        run, chunks = self._synthesizer.iter_sample(
            shard.rows, where=self._order.where, given=given, settings=settings
        )
        writer: pq.ParquetWriter | None = None
        try:
            for chunk in chunks:
                table = self._plain(chunk)
                if writer is None:
                    writer = pq.ParquetWriter(path, table.schema, compression="zstd")
                writer.write_table(table)
                if self._is_stopped():
                    raise Stopped
            assert writer is not None, "every run yields a table, if an empty one"
            report = {k: v for k, v in asdict(run.report).items() if k != "seconds"}
            facts = {"order": self._fingerprint, "index": shard.index, "report": report}
            writer.add_key_value_metadata({_FACTS: json.dumps(facts, sort_keys=True)})
        finally:
            if writer is not None:
                writer.close()

    def _plain(self, chunk: pa.Table) -> pa.Table:
        return conform(chunk, self._synthesizer.schema_).replace_schema_metadata(None)

    def _record(self, shard: Shard) -> ShardRecord:
        with self._folder.open(shard.file) as file:
            found = pq.ParquetFile(file).metadata
            facts = json.loads((found.metadata or {}).get(_FACTS, b"{}"))
            rows = found.num_rows
        if (facts.get("order"), facts.get("index")) != (self._fingerprint, shard.index):
            raise SettingsError(
                f"{self._folder.address}/{shard.file} is a shard of another table.",
                hint="Name another --out.",
            )
        return ShardRecord(
            index=shard.index,
            file=shard.file,
            first_row=shard.first_row,
            rows=rows,
            bytes=self._folder.size(shard.file) or 0,
            sha256=self._folder.sha256(shard.file),
            report=facts["report"],
        )
