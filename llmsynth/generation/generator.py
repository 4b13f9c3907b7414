"""Draws tables block by block: conditions, constraints, identifiers, bounds and the account."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch

from llmsynth.codec.column_code import Tokens
from llmsynth.codec.row_language import RowLanguage
from llmsynth.engines.compact_sampler import MOST_BLOCK_ROWS, CompactSampler, Sharpness
from llmsynth.errors import SettingsError
from llmsynth.generation.computed_columns import with_computed, with_solved
from llmsynth.generation.conditions import Conditions
from llmsynth.generation.constraints import ConstraintMasks
from llmsynth.generation.guarded_texts import GuardedTexts
from llmsynth.generation.identifiers import IdentifierMaker
from llmsynth.generation.people import with_invented_people
from llmsynth.generation.sample import SampleReport
from llmsynth.generation.text_guard import TextGuard
from llmsynth.progress import Progress, Step, silent
from llmsynth.schema.columns import IdentifierColumn, TextColumn
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.broken_rows import broken_rows

SHARD_ROWS = MOST_BLOCK_ROWS
"""Every sampler's block divides it."""
_ATTEMPT_STRIDE = 1 << 40
"""Row numbers of a redraw lie this far from the first draw's, so that they get fresh numbers."""


@dataclass(frozen=True, kw_only=True)
class SamplingSettings:
    """What a user may set about drawing rows."""

    seed: int = 0
    temperature: float = 1.0
    """Below 1 sharpens, above 1 flattens every draw."""
    top_p: float = 1.0
    """Keep only the likeliest tokens that together reach this probability."""
    max_attempts: int = 20
    """Draws a row may take to satisfy the declared constraints."""
    max_seconds: float | None = None
    """Wall-clock limit; what is there by then is returned and said to be partial."""
    batch_rows: int = 65536
    """Rows a chunk holds in memory; never changes the rows themselves."""
    first_row: int = 0
    """Number of the first row, so that several runs draw one table part by part. Parts that begin
    at multiples of the synthesizer's `block_rows` are bit for bit those of a single run; a given
    table holds the part's own rows."""

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise SettingsError(f"temperature must be above 0, got {self.temperature}.")
        if not 0 < self.top_p <= 1:
            raise SettingsError(f"top_p must lie above 0 and at most 1, got {self.top_p}.")
        if self.max_attempts < 1 or self.batch_rows < 1:
            raise SettingsError("max_attempts and batch_rows must be at least 1.")
        if self.max_seconds is not None and self.max_seconds <= 0:
            raise SettingsError(f"max_seconds must be above 0, got {self.max_seconds}.")
        if self.first_row < 0:
            raise SettingsError(f"first_row must be 0 or more, got {self.first_row}.")


class Generator:
    """One sampling run over a fitted model.

    Args:
        order: column indices as the model writes them when nothing is given.
        guard: what keeps spelled texts from replaying rare training texts.
        makes_people: fill the forms of people's names and addresses; off, where rows are to be
            encoded again.
    """

    def __init__(
        self,
        sampler: CompactSampler,
        order: Sequence[int],
        settings: SamplingSettings,
        conditions: Conditions,
        progress: Progress = silent,
        guard: TextGuard | None = None,
        *,
        makes_people: bool = True,
    ) -> None:
        self._sampler, self._settings, self._conditions = sampler, settings, conditions
        self._language: RowLanguage = sampler.language
        self._progress = progress
        self._masks = ConstraintMasks(self._language)
        schema = self._language.schema
        given = {schema.names.index(name) for name in conditions.columns}
        self._order = [c for c in order if c in given] + [c for c in order if c not in given]
        self._makers = {
            column.name: IdentifierMaker(column, settings.seed)
            for column in schema.columns
            if isinstance(column, IdentifierColumn)
        }
        self._given_columns, self._makes_people = given, makes_people
        self._guarded = (
            GuardedTexts(sampler=sampler, guard=guard, order=self._order, seed=settings.seed)
            if guard is not None
            else None
        )
        self.report = SampleReport(text_guard=_guard_words(schema, guard))
        self._deadline = math.inf

    def chunks(self, num_rows: int) -> Iterator[pa.Table]:
        """Tables of up to `batch_rows` rows, until `num_rows` or a bound is reached.

        Rows are drawn in fixed blocks, so the rows do not depend on `batch_rows`. Where a bound
        leaves no row at all, one empty table comes.

        Raises:
            SamplingError: a column of unique identifiers has fewer than `num_rows` of them.
        """
        start = self._settings.first_row
        for maker in self._makers.values():
            maker.check(start + num_rows)
        self.report.asked = num_rows
        started = time.perf_counter()
        self._deadline = started + (self._settings.max_seconds or math.inf)
        waiting = [self._named(self._language.decode(self._no_codes()), 0)]
        rows = self._sampler.block_rows
        for first in range(start, start + num_rows, rows):
            if self._is_late():
                break
            block = self._block(first, min(rows, start + num_rows - first))
            self._account(block.num_rows, started)
            waiting.append(block)
            if sum(table.num_rows for table in waiting) >= self._settings.batch_rows:
                yield pa.concat_tables(waiting)
                waiting = []
        if waiting:
            yield pa.concat_tables(waiting)

    def _no_codes(self) -> Tokens:
        return np.zeros((0, len(self._language.place_sizes)), dtype=np.int32)

    def _is_late(self) -> bool:
        if time.perf_counter() > self._deadline:
            self.report.stopped = "time"
        return self.report.stopped == "time"

    def _account(self, rows: int, started: float) -> None:
        report = self.report
        report.rows += rows
        report.seconds = time.perf_counter() - started
        report.masked_mass = self._sampler.mass.mean
        left = report.seconds * (report.asked - report.rows) / max(report.rows, 1)
        self._progress(
            Step(stage="sample", done=report.rows, total=report.asked, seconds_left=left)
        )

    def _block(self, first: int, count: int) -> pa.Table:
        numbers = np.arange(first, first + count)
        table = self._drawn(numbers, 0)
        broken = self._broken(table)
        parts, places = [table.filter(pa.array(~broken))], [numbers[~broken]]
        for attempt in range(1, self._settings.max_attempts):
            if not broken.any() or self._is_late():
                break
            numbers = numbers[broken]
            self.report.redrawn += len(numbers)
            table = self._drawn(numbers, attempt)
            broken = self._broken(table)
            parts.append(table.filter(pa.array(~broken)))
            places.append(numbers[~broken])
        if broken.any():
            dropped = self.report.dropped
            reason = "declared constraints not met"
            dropped[reason] = dropped.get(reason, 0) + int(broken.sum())
        order = np.argsort(np.concatenate(places), kind="stable")
        return self._named(pa.concat_tables(parts).take(pa.array(order)), first)

    def _drawn(self, numbers: np.ndarray[tuple[int], np.dtype[np.int64]], attempt: int) -> pa.Table:
        settings = self._settings
        given = self._given(numbers)
        sharpness = Sharpness(temperature=settings.temperature, top_p=settings.top_p)
        own = numbers + attempt * _ATTEMPT_STRIDE
        codes = self._sampler.draw(
            torch.from_numpy(own),
            self._order,
            seed=settings.seed,
            given=given,
            sharpness=sharpness,
            cell_mask=self._masks,
        )
        if self._guarded is not None:
            codes = self._guarded.checked(codes, own, sharpness, self._given_columns)
            self.report.redrawn_texts = self._guarded.redrawn
            self.report.copied_texts = self._guarded.copied
        table = self._language.decode(codes.numpy().astype(np.int32))
        fixed = self._conditions.columns
        table = with_computed(table, self._language.schema, fixed)
        return with_solved(table, self._language.schema, fixed)

    def _given(self, numbers: np.ndarray[tuple[int], np.dtype[np.int64]]) -> torch.Tensor | None:
        first = int(numbers[0]) if len(numbers) else 0
        last = int(numbers[-1]) if len(numbers) else 0
        # What is given are the rows of this run, whatever number the first of them has.
        codes = self._conditions.codes(first - self._settings.first_row, last - first + 1)
        return None if codes is None else codes[torch.from_numpy(numbers - first)]

    def _broken(self, table: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return broken_rows(table, self._language.schema.constraints)

    def _named(self, table: pa.Table, first: int) -> pa.Table:
        for name, maker in self._makers.items():
            index = table.schema.get_field_index(name)
            table = table.set_column(index, name, maker.make(first, table.num_rows))
        if not self._makes_people:
            return table
        return with_invented_people(
            table, self._language.schema, seed=self._settings.seed, first_row=first
        )


def _guard_words(schema: TableSchema, guard: TextGuard | None) -> str:
    spelled = any(
        isinstance(column, TextColumn) and column.pieces and not column.invented
        for column in schema.columns
    )
    if not spelled:
        return "not needed"
    return "absent" if guard is None else "on"
