"""Draws tables whose rows a language model writes, whole or behind columns known already."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.codec.span_hashes import SpanHashes
from llmsynth.engines.copy_guard import GuardCounts
from llmsynth.engines.engine import SamplingSettings as EngineSettings
from llmsynth.generation.computed_columns import with_computed
from llmsynth.generation.generator import SamplingSettings
from llmsynth.generation.identifiers import IdentifierMaker
from llmsynth.generation.row_writer import RowWriter, WrittenRows
from llmsynth.generation.sample import SampleReport
from llmsynth.progress import Progress, Step, silent
from llmsynth.schema.columns import IdentifierColumn, TextColumn
from llmsynth.schema.storage import arrow_type
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.broken_rows import broken_rows

TEXT_BLOCK_ROWS = 256
"""Rows written together; never depends on the table."""
_ATTEMPT_STRIDE = 1 << 40

Known = Callable[[int], Iterator[tuple[int, pa.Table | None]]]
"""Given a number of rows, yields how many rows come next and what is known of them."""


class TextGenerator:
    """One sampling run.

    Args:
        schema: all columns, identifiers included.
        known: what is known of the rows, block by block.
        wanted: the columns to write, in that order.
        spans: what finished texts are searched for, where the training texts' spans are known.
        guard: what the engine's guard has done.
        is_served: whether the engine knows neither the guard nor how long a text may be, so that
            rows whose texts hold a guarded span or do not end in time are drawn again.
        guard_state: what the report is to say of the guard; see `SampleReport.memorization_guard`.
        before: the account of the run that draws what is known, where another one does.
    """

    def __init__(
        self,
        writer: RowWriter,
        schema: TableSchema,
        *,
        known: Known,
        wanted: Sequence[str],
        settings: SamplingSettings,
        spans: SpanHashes | None = None,
        guard: GuardCounts | None = None,
        is_served: bool = False,
        guard_state: str | None = None,
        before: SampleReport | None = None,
        progress: Progress = silent,
    ) -> None:
        self._writer, self._schema, self._known, self._wanted = writer, schema, known, wanted
        self._settings, self._spans, self._progress = settings, spans, progress
        self._guard, self._before = guard or GuardCounts(), before or SampleReport()
        # A server that never wrote a whole row is not asked again and again.
        self._is_served, self._ever_whole = is_served, False
        # The guard counts on from run to run.
        self._guarded_before = replace(self._guard)
        self._makers = {
            column.name: IdentifierMaker(column, settings.seed)
            for column in schema.columns
            if isinstance(column, IdentifierColumn)
        }
        self.report = SampleReport(memorization_guard=guard_state)
        self._removed: list[float] = []

    def chunks(self, num_rows: int) -> Iterator[pa.Table]:
        """Tables of whole rows, until `num_rows` or a bound is reached.

        Raises:
            SamplingError: a column of unique identifiers has fewer than `num_rows` of them.
            EngineError, OutOfMemoryError: the model cannot be run.
        """
        start = self._settings.first_row
        for maker in self._makers.values():
            maker.check(start + num_rows)
        self.report.asked = num_rows
        started = time.perf_counter()
        self._deadline = started + (self._settings.max_seconds or math.inf)
        first, is_empty = start, True
        for count, known in blocks(self._known(num_rows)):
            if time.perf_counter() >= self._deadline:
                self.report.stopped = "time"
                break
            table = self._block(first, count, known)
            self._account(table, started)
            yield table
            first, is_empty = first + count, False
        self._add_before()
        if self.report.rows < num_rows and time.perf_counter() >= self._deadline:
            self.report.stopped = "time"
        if is_empty:
            yield self._named(self._writer_table(), None, 0)

    def _block(self, first: int, count: int, known: pa.Table | None) -> pa.Table:
        numbers, lost = np.arange(count), Counter[str]()
        parts, places = [], []
        for attempt in range(self._settings.max_attempts):
            rows = None if known is None else known.take(pa.array(numbers))
            written = self._written(rows, len(numbers), attempt * _ATTEMPT_STRIDE + first)
            table = with_computed(
                written.table, self._writer.tokens.language.schema, self._columns(known)
            )
            copied = self._copied(table) if self._is_served else np.zeros(table.num_rows, np.bool_)
            broken = self._broken(table) | copied
            parts.append(table.filter(pa.array(~broken)))
            places.append(numbers[written.places[~broken]])
            again, lost = written.places[broken], _reasons(broken, copied)
            self._ever_whole |= len(written.places) > 0
            if self._is_served and self._ever_whole:
                again = np.setdiff1d(np.arange(len(numbers)), written.places[~broken])
                lost += written.given_up
            else:
                self._drop(written.given_up)
            numbers = numbers[again]
            if not len(numbers) or time.perf_counter() >= self._deadline:
                break
            self.report.redrawn += len(numbers)
        self._drop(lost)
        order = np.argsort(np.concatenate(places), kind="stable")
        kept = np.concatenate(places)[order]
        rows = None if known is None else known.take(pa.array(kept))
        return self._named(pa.concat_tables(parts).take(pa.array(order)), rows, first)

    def _add_before(self) -> None:
        self.report.masked_mass = self._before.masked_mass
        self.report.redrawn += self._before.redrawn
        self._drop(self._before.dropped)

    def _written(self, known: pa.Table | None, count: int, first: int) -> WrittenRows:
        settings = self._settings
        left = self._deadline - time.perf_counter()
        written = self._writer.write(
            known,
            count,
            self._wanted,
            EngineSettings(
                seed=settings.seed,
                temperature=settings.temperature,
                top_p=settings.top_p,
                max_seconds=None if math.isinf(left) else max(left, 1e-3),
                first_row=first,
            ),
        )
        if written.given_up["row not ended (max_seconds)"]:
            self.report.stopped = "time"
        self._removed += written.removed_mass
        return written

    def _drop(self, lost: Mapping[str, int]) -> None:
        dropped = self.report.dropped
        for reason, rows in lost.items():
            if rows:
                dropped[reason] = dropped.get(reason, 0) + rows

    @staticmethod
    def _columns(known: pa.Table | None) -> list[str]:
        return [] if known is None else list(known.column_names)

    def _broken(self, table: pa.Table) -> npt.NDArray[np.bool_]:
        return broken_rows(table, self._schema.constraints)

    def _writer_table(self) -> pa.Table:
        columns = self._writer.tokens.language.schema.columns
        return pa.schema([(c.name, arrow_type(c.storage)) for c in columns]).empty_table()

    def _named(self, table: pa.Table, known: pa.Table | None, first: int) -> pa.Table:
        """All columns of the schema: written ones, and identifiers known or made here."""
        columns = []
        for column in self._schema.columns:
            if column.name in table.column_names:
                columns.append(table.column(column.name))
            elif known is not None and column.name in known.column_names:
                columns.append(known.column(column.name))
            else:
                made = self._makers[column.name].make(first, table.num_rows)
                columns.append(pa.chunked_array([made]))
        return pa.table(columns, names=list(self._schema.names))

    def _account(self, table: pa.Table, started: float) -> None:
        report = self.report
        report.rows += table.num_rows
        report.seconds = time.perf_counter() - started
        report.text_masked_mass = float(np.mean(self._removed)) if self._removed else None
        report.blocked_spans = self._guard.blocked - self._guarded_before.blocked
        report.guarded_rows = self._guard.rows - self._guarded_before.rows
        report.copied_rows += int(self._copied(table).sum())
        left = report.seconds * (report.asked - report.rows) / max(report.rows, 1)
        self._progress(
            Step(stage="sample", done=report.rows, total=report.asked, seconds_left=left)
        )

    def _copied(self, table: pa.Table) -> npt.NDArray[np.bool_]:
        """Which rows' texts, as the tokenizer spells them, hold a guarded span."""
        texts = [c.name for c in self._schema.columns if isinstance(c, TextColumn)]
        wanted = [name for name in texts if name in self._wanted]
        found = np.zeros(table.num_rows, dtype=np.bool_)
        if self._spans is None or not wanted or not table.num_rows:
            return found
        cells, spans = self._writer.tokens.cells(table.select(wanted)), self._spans
        for name in wanted:
            found |= [bool(spans.known(spans.spans(cell)).any()) for cell in cells[name]]
        return found


def _reasons(broken: npt.NDArray[np.bool_], copied: npt.NDArray[np.bool_]) -> Counter[str]:
    """Why rows were not taken."""
    return Counter(
        {
            "declared constraints not met": int((broken & ~copied).sum()),
            "span of a training text": int((broken & copied).sum()),
        }
    )


def blocks(known: Iterator[tuple[int, pa.Table | None]]) -> Iterator[tuple[int, pa.Table | None]]:
    """The same rows in blocks of a fixed size at most, so that rows do not depend on its chunks."""
    for count, table in known:
        for first in range(0, count, TEXT_BLOCK_ROWS):
            size = min(TEXT_BLOCK_ROWS, count - first)
            yield size, None if table is None else table.slice(first, size)
