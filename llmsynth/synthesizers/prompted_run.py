"""Draws a table from prompts: request by request, attempt by attempt, every loop bounded."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.engines.engine import SamplingSettings
from llmsynth.generation.computed_columns import with_computed
from llmsynth.generation.row_writer import RowWriter, WrittenRows
from llmsynth.progress import Progress, Step, silent
from llmsynth.prompting.copy_check import Copy, CopyCheck
from llmsynth.prompting.example_choice import chosen_examples
from llmsynth.prompting.row_prompt import Row, RowPrompt
from llmsynth.prompting.shares import cells_like
from llmsynth.schema.columns import TextColumn
from llmsynth.schema.storage import arrow_type
from llmsynth.synthesizers.prompted_settings import PromptedReport, PromptSettings
from llmsynth.tables.broken_rows import broken_rows

Places = npt.NDArray[np.int64]

_TOKENS_WITHOUT_EXAMPLES = 512
_DUPLICATE, _COPY = "the same as another row", "a copy of an example"
_BROKEN = "declared constraints not met"


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How rows are drawn, whatever they are.

    seed: same seed, same rows on the same engine.
    """

    seed: int
    temperature: float = 1.0
    top_p: float = 1.0
    max_seconds: float | None = None


@dataclass(kw_only=True)
class PromptedRun:
    """One run.

    writer: the row language of all columns but identifiers, on an engine.
    examples: rows of that language's columns, possibly none.
    strata: what each example belongs to.
    fixed: cells of the columns that have shares, one row for each row wanted.
    """

    writer: RowWriter
    prompt: RowPrompt
    examples: pa.Table
    strata: Sequence[Hashable]
    fixed: pa.Table
    settings: PromptSettings
    drawing: Drawing
    progress: Progress = silent
    report: PromptedReport = field(default_factory=PromptedReport)

    def __post_init__(self) -> None:
        """Prepare what all requests share."""
        self._schema = self.writer.tokens.language.schema
        self._rows: list[Row] = self.examples.to_pylist()
        self._check = CopyCheck(self._schema, self.examples)
        self._seen: set[tuple[object, ...]] = set()
        self._kept: dict[int, pa.Table] = {}
        self._failed: dict[int, str] = {}
        self._removed: list[float] = []

    def table(self, n: int) -> pa.Table:
        """Up to `n` rows, in the order of `fixed`; `report` says how they came about.

        Ctrl-C ends the run with the rows there are.

        Raises:
            EngineError, OutOfMemoryError, SettingsError: the engine cannot draw a row.
        """
        report, started = self.report, time.perf_counter()
        deadline = started + (self.drawing.max_seconds or math.inf)
        report.asked, pending = n, np.arange(n)
        try:
            for attempt in range(self.settings.max_attempts):
                report.attempts = attempt + 1
                report.redrawn += len(pending) if attempt else 0
                self._attempt(pending, deadline, started)
                pending = self._pending(n)
                if not len(pending) or time.perf_counter() >= deadline:
                    break
        except KeyboardInterrupt:
            report.stopped = "interrupted"
        self._close(self._pending(n), started, is_late=time.perf_counter() >= deadline)
        empty = [(c.name, arrow_type(c.storage)) for c in self._schema.columns]
        kept = [self._kept[place] for place in sorted(self._kept)]
        return pa.concat_tables([pa.schema(empty).empty_table(), *kept])

    def _attempt(self, pending: Places, deadline: float, started: float) -> None:
        for first in range(0, len(pending), self.settings.rows_per_prompt):
            if time.perf_counter() >= deadline:
                break
            self._request(pending[first : first + self.settings.rows_per_prompt], deadline)
            self._tell(started)

    def _pending(self, n: int) -> Places:
        return np.array([place for place in range(n) if place not in self._kept], np.int64)

    def _request(self, places: Places, deadline: float) -> None:
        """Ask for one row each, behind one prompt, and keep those that may stay."""
        generator = np.random.default_rng([self.drawing.seed, self.report.prompts])
        known = self._known(places, generator)
        names = [] if known is None else known.column_names
        wanted = [name for name in self._schema.names if name not in names]
        wanted.sort(key=lambda name: isinstance(self._schema.column(name), TextColumn))
        order = [*(n for n in self._schema.names if n in names), *wanted]
        prompt, row_tokens = self._prompt_ids(order, generator)
        left = deadline - time.perf_counter()
        written = self.writer.write(
            known,
            len(places),
            wanted,
            SamplingSettings(
                seed=self.drawing.seed,
                temperature=self.drawing.temperature,
                top_p=self.drawing.top_p,
                max_new_tokens=row_tokens,
                max_seconds=None if math.isinf(left) else max(left, 1e-3),
                first_row=self.report.drawn,
            ),
            prompt_ids=prompt,
        )
        self.report.prompts += 1
        self.report.drawn += len(places)
        self._sort_out(written, places, names)

    def _known(self, places: Places, generator: np.random.Generator) -> pa.Table | None:
        """The shares' cells of these rows, and this request's anchors."""
        known = self.fixed.take(pa.array(places)) if self.fixed.num_columns else None
        names = [n for n in self._schema.names if n not in self.fixed.column_names]
        num_anchors = 0
        for name in generator.permutation(names).tolist():
            # One column at least is the model's to write.
            if num_anchors == min(self.settings.anchors, len(names) - 1):
                break
            column = self._schema.column(name)
            cells = self.examples.column(name).combine_chunks()
            drawn = cells_like(column, cells, len(places), generator)
            if drawn is not None:
                known = (
                    pa.table({name: drawn}) if known is None else known.append_column(name, drawn)
                )
                num_anchors += 1
        return known

    def _prompt_ids(
        self, order: Sequence[str], generator: np.random.Generator
    ) -> tuple[list[int], int]:
        """The prompt with as many examples as fit the context, and most tokens of a row."""
        tokens = self.writer.tokens
        count = min(self.settings.examples_per_prompt, len(self._rows))
        chosen = chosen_examples(self.strata, count, generator)
        rows = [self._rows[place] for place in chosen]
        longest = max(
            (len(tokens.read_only(self.prompt.language.serialize(row, order))) for row in rows),
            default=_TOKENS_WITHOUT_EXAMPLES // 2,
        )
        while True:
            text = self.prompt.text(rows, order)
            ids = [*tokens.prompt_ids, *tokens.read_only(text)]
            if not rows or len(ids) + 2 * longest <= self.writer.engine.context_length:
                break
            rows.pop()
        fewest = self.report.fewest_examples if self.report.prompts else len(rows)
        self.report.fewest_examples = min(fewest, len(rows))
        return ids, 2 * longest

    def _sort_out(self, written: WrittenRows, places: Places, given: Sequence[str]) -> None:
        report = self.report
        self._removed += written.removed_mass
        for reason, count in written.given_up.items():
            report.unfinished += count
            self._failed |= dict.fromkeys(places.tolist(), reason)
        table = with_computed(written.table, self._schema, given)
        broken = broken_rows(table, self._schema.constraints)
        copies = self._check.judged(table)
        for at, cells in enumerate(table.to_pylist()):
            place, key = int(places[written.places[at]]), tuple(cells.values())
            if broken[at]:
                report.broken += 1
                self._failed[place] = _BROKEN
            elif copies[at] != Copy.NONE:
                report.verbatim_copies += int(copies[at] == Copy.VERBATIM)
                report.near_copies += int(copies[at] == Copy.NEAR)
                self._failed[place] = _COPY
            elif key in self._seen and not self.settings.keep_duplicates:
                report.duplicates += 1
                self._failed[place] = _DUPLICATE
            else:
                self._seen.add(key)
                self._kept[place] = table.slice(at, 1)

    def _tell(self, started: float) -> None:
        done, total = len(self._kept), self.report.asked
        seconds = time.perf_counter() - started
        left = seconds * (total - done) / max(done, 1)
        self.progress(Step(stage="sample", done=done, total=total, seconds_left=left))

    def _close(self, pending: Places, started: float, *, is_late: bool) -> None:
        report = self.report
        report.rows = len(self._kept)
        report.seconds = time.perf_counter() - started
        report.text_masked_mass = float(np.mean(self._removed)) if self._removed else None
        if is_late and len(pending) and report.stopped != "interrupted":
            report.stopped = "time"
        tried: Mapping[str, int] = Counter(
            self._failed[place] for place in pending.tolist() if place in self._failed
        )
        report.dropped = dict(tried)
