"""Tables in which several rows belong to one entity: fit, sample new entities, save, load."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa

from llmsynth.errors import ConditionError, NotFittedError, SettingsError
from llmsynth.personal_data.replacement import with_people_renamed
from llmsynth.progress import Progress, silent
from llmsynth.relational.given_groups import given_rows
from llmsynth.relational.given_rows import GivenRows
from llmsynth.relational.group_layout import FIRST, ROWS, SPAN, GroupLayout, lay_out
from llmsynth.relational.group_plan import GroupPlan
from llmsynth.relational.group_sample import GroupReport, GroupSample, whole_rows
from llmsynth.relational.joining_file import GROUPS
from llmsynth.relational.keys import new_keys
from llmsynth.relational.no_private_fit import refuse_privacy
from llmsynth.relational.row_drawer import DrawSettings
from llmsynth.relational.sequence_model import SequenceModel
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth.tables.reading import read_table

if TYPE_CHECKING:
    from llmsynth.tables.reading import TableSource

_HEADS = "heads"
_HEAD_SHARE = 0.2
"""Share of a time budget for what is the same in all rows of a group."""


class GroupedSynthesizer:
    """Learns groups of rows and writes new groups.

    Two models: one draws what a group is (its static cells, how many rows it has, when they begin
    and end), the other its rows, each under what came before. Times are gaps that never decrease.

    Args:
        group_by: the column that names the entity; its values are re-invented.
        order_by: number, date or moment that orders a group's rows; else they keep their order.
        static: columns that are the same in all rows of a group; detected when omitted.
        lags: how many rows back are seen one by one; a mean stands for those before.
        schema, missing, keep_rare, drop_text, seed: as in `Synthesizer`.
        max_minutes, max_epochs, hidden_size, num_layers: as in `Synthesizer`; minutes of both.
        epsilon: refused: groups have no private fit.
    """

    def __init__(
        self,
        *,
        group_by: str,
        order_by: str | None = None,
        static: Sequence[str] | None = None,
        lags: int = 3,
        schema: TableSchema | None = None,
        missing: Sequence[str] = (),
        keep_rare: bool = False,
        drop_text: bool = False,
        max_minutes: float | None = None,
        max_epochs: float | None = None,
        hidden_size: int | None = None,
        num_layers: int | None = None,
        seed: int = 0,
        epsilon: float | None = None,
    ) -> None:
        refuse_privacy(epsilon)
        if lags < 1:
            raise SettingsError(f"lags must be at least 1, got {lags}.")
        if order_by == group_by:
            raise SettingsError(f"{group_by!r} names the group; order rows by another column.")
        self.group_by, self.order_by = group_by, order_by
        self.static = None if static is None else tuple(static)
        self.lags = lags
        self.schema = schema
        self.missing = tuple(missing)
        self.keep_rare, self.drop_text = keep_rare, drop_text
        self.max_minutes, self.max_epochs = max_minutes, max_epochs
        self.hidden_size, self.num_layers = hidden_size, num_layers
        self.seed = seed

    def fit(
        self,
        table: TableSource,
        *,
        checkpoint_dir: str | Path | None = None,
        progress: Progress = silent,
    ) -> Self:
        """Learn a table of groups.

        Raises:
            TableError: fewer than 20 groups, a missing key or time, a static column that changes.
            SchemaError: the table cannot be grouped or ordered this way.
        """
        started = time.perf_counter()
        source = read_table(table, missing=self.missing)
        if self.schema is None:
            # Here, since a pseudonym that one model draws is a condition of the other.
            keys = {self.group_by, self.order_by}
            source = with_people_renamed(source, keys=keys, seed=self.seed)
        layout = lay_out(
            source,
            self.schema,
            group_by=self.group_by,
            order_by=self.order_by,
            static=self.static,
            keep_rare=self.keep_rare,
            drop_text=self.drop_text,
        )
        folder = None if checkpoint_dir is None else Path(checkpoint_dir)
        minutes = self.max_minutes
        heads = self._synthesizer(minutes and minutes * _HEAD_SHARE)
        heads.schema = layout.head_schema
        heads.fit(layout.heads, checkpoint_dir=folder and folder / _HEADS)
        if minutes is not None:
            minutes = max(minutes - (time.perf_counter() - started) / 60, 0.01)
        self.rows_ = layout.model(self.lags, heads.schema_).fit(
            layout.rows,
            layout.plan,
            layout.ticks,
            self._synthesizer(minutes),
            schema=layout.row_schema,
            checkpoint_dir=folder and folder / "rows",
            progress=progress,
        )
        self.heads_ = heads
        self.layout_ = layout.kept
        self.fit_seconds_ = time.perf_counter() - started
        return self

    def _synthesizer(self, minutes: float | None) -> Synthesizer:
        return Synthesizer(
            personal_data="keep",
            keep_rare=self.keep_rare,
            drop_text=self.drop_text,
            max_minutes=minutes,
            max_epochs=self.max_epochs,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
            seed=self.seed,
        )

    @property
    def schema_(self) -> TableSchema:
        """The schema of the rows that are written."""
        layout = self._fitted()
        assert self.rows_.synthesizer is not None
        known = {c.name: c for c in (*self.heads_.schema_.columns, *layout.named.values())}
        known |= {c.name: c for c in self.rows_.synthesizer.schema_.columns}
        known[layout.group_by] = replace(layout.key, unique=False)
        if layout.order_by is not None and self.rows_.axis is not None:
            known[layout.order_by] = self.rows_.axis.column
        return TableSchema(columns=tuple(known[name] for name in layout.names))

    def sample(
        self,
        groups: int | None = None,
        *,
        where: Mapping[str, object] | None = None,
        given: TableSource | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        top_p: float = 1.0,
        max_length: int | None = None,
        max_seconds: float | None = None,
        progress: Progress = silent,
    ) -> GroupSample:
        """Write new groups.

        Args:
            groups: how many; may be omitted with `given`.
            where: column to value: of every group for a static column, of every row for others.
            given: some static columns of the groups to be made, one row each; or, with the column
                that names the group, some columns of the rows to be made, as many and in the order
                in which they are given. What is static and not given is drawn before the rows.
            seed: same seed, same table.
            max_length: most rows of a group; longer ones stop there, and are counted.
            max_seconds: wall-clock limit; the rows there are by then are kept.

        Raises:
            NotFittedError: nothing was learned yet.
            ConditionError: a condition the schema cannot hold, or on key or order.
        """
        layout = self._fitted()
        if max_length is not None and max_length < 1:
            raise SettingsError(f"max_length must be at least 1, got {max_length}.")
        started = time.perf_counter()
        of_groups, of_rows = self._conditions(where or {})
        of_heads = None if given is None else read_table(given, missing=self.missing)
        rows = None
        if of_heads is not None and layout.group_by in of_heads.column_names:
            rows = given_rows(of_heads, layout, self.rows_.axis, self.heads_.schema_)
            of_heads = rows.heads
        heads = self.heads_.sample(
            groups,
            where=of_groups,
            given=of_heads,
            seed=seed,
            temperature=temperature,
            top_p=top_p,
            max_seconds=max_seconds,
        )
        plan = self._plan(heads.table, rows)
        cut = 0 if max_length is None else int((plan.lengths > max_length).sum())
        written = self.rows_.write(
            plan,
            DrawSettings(seed=seed, temperature=temperature, top_p=top_p),
            where=of_rows,
            given=rows,
            max_length=max_length,
            deadline=None if max_seconds is None else started + max_seconds,
            progress=progress,
        )
        asked = heads.report.asked
        keys = new_keys(layout.key, heads.table.num_rows, seed) if rows is None else rows.keys
        table = whole_rows(layout, keys, heads.table, written, self.rows_.axis, seed)
        report = GroupReport(
            asked=asked,
            groups=len(np.unique(written.groups)),
            rows=table.num_rows,
            cut=cut,
            unfinished=written.unfinished,
            redrawn=heads.report.redrawn + written.redrawn,
            seconds=time.perf_counter() - started,
            stopped="time" if heads.report.stopped == "time" else written.stopped,
        )
        return GroupSample(table, self.schema_, report)

    def _conditions(
        self, where: Mapping[str, object]
    ) -> tuple[dict[str, object], dict[str, object]]:
        layout = self._fitted()
        if fixed := {layout.group_by, layout.order_by, *layout.named} & set(where):
            raise ConditionError(
                f"Column {fixed.pop()!r} names or orders rows; it cannot be given.",
                hint="Fix static columns, or columns that change from row to row.",
            )
        of_rows = {k: v for k, v in where.items() if k in {c.name for c in self.rows_.columns}}
        return {k: v for k, v in where.items() if k not in of_rows}, of_rows

    def _plan(self, heads: pa.Table, given: GivenRows | None) -> GroupPlan:
        lengths = np.asarray(heads[ROWS].combine_chunks(), dtype=np.int64)
        if given is not None:
            lengths = given.rows.lengths[: len(lengths)]
        own = heads.select([column.name for column in self.rows_.own])
        axis = self.rows_.axis
        if axis is None:
            return GroupPlan(own=own, lengths=lengths)
        span = np.asarray(heads[SPAN].combine_chunks(), dtype=np.int64)
        first, least = axis.ticks(heads[FIRST]), self.rows_.least_gap
        if given is not None and given.ticks is not None:
            ends = given.ticks[given.rows.first + given.rows.lengths - 1]
            return GroupPlan(own=own, lengths=lengths, first=first, last=ends[: len(lengths)])
        return GroupPlan.timed(own, lengths, first, span, axis=axis, least_gap=least)

    def _fitted(self) -> GroupLayout:
        layout: GroupLayout | None = getattr(self, "layout_", None)
        if layout is None:
            raise NotFittedError("This synthesizer has learned nothing yet.")
        return layout

    def save(self, folder: str | Path) -> Path:
        """Write the two bundles and what joins them; JSON and safetensors, no rows."""
        layout, folder = self._fitted(), Path(folder)
        self.heads_.save(folder / _HEADS)
        self.rows_.save(folder)
        GROUPS.write(folder, layout.to_json())
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a synthesizer that `save` wrote.

        Raises:
            BundleError: the folder holds none, or a broken one.
        """
        with GROUPS.reading(Path(folder)) as data:
            layout = GroupLayout.from_json(data)
        self = cls(group_by=layout.group_by, order_by=layout.order_by, static=layout.static)
        self.heads_ = Synthesizer.load(Path(folder) / _HEADS)
        self.rows_ = SequenceModel.load(Path(folder))
        self.layout_ = layout
        return self
