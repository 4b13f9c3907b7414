"""Tables in which several rows belong to one entity: fit, sample new entities, save, load."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from llmsynth.bundle.owner import OwnerFolder
from llmsynth.errors import ConditionError, NotFittedError, SettingsError
from llmsynth.personal_data.replacement import declared_personal, with_people_renamed
from llmsynth.progress import Progress, silent
from llmsynth.relational.drawn_groups import row_plan, written_schema
from llmsynth.relational.given_groups import given_rows
from llmsynth.relational.group_layout import GroupLayout, lay_out
from llmsynth.relational.group_sample import GroupReport, GroupSample, whole_rows
from llmsynth.relational.group_texts import GroupTexts
from llmsynth.relational.joining_file import GROUPS
from llmsynth.relational.keys import new_keys
from llmsynth.relational.no_private_fit import refuse_privacy
from llmsynth.relational.row_drawer import DrawSettings
from llmsynth.relational.sequence_model import SequenceModel
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.plain_fit import COMPACT
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth.synthesizers.text_settings import TextSettings
from llmsynth.tables.reading import read_table

if TYPE_CHECKING:
    from llmsynth.tables.reading import TableSource

_HEADS = "heads"
_TEXT_SHARE = 0.75
"""Share of a time budget for free text, where there is any."""
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
        model, text: what writes free text, under the typed cells of its row; as in `Synthesizer`.
        schema, missing, keep_rare, drop_text, seed: as in `Synthesizer`.
        max_minutes, max_epochs, hidden_size, num_layers: as in `Synthesizer`; minutes of both.
        epsilon: refused: groups have no private fit.

    Attributes:
        too_little_: after a fit, the parts (`entities`, `rows`, `texts`) for which the time limit
            came before much was learned.
    """

    def __init__(
        self,
        *,
        group_by: str,
        order_by: str | None = None,
        static: Sequence[str] | None = None,
        lags: int = 3,
        model: str = "compact",
        text: TextSettings | None = None,
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
        self.model, self.text = model, text
        self.schema = schema
        self.missing = tuple(missing)
        self.keep_rare, self.drop_text = keep_rare, drop_text
        self.max_minutes, self.max_epochs = max_minutes, max_epochs
        self.hidden_size, self.num_layers = hidden_size, num_layers
        self.seed = seed
        self.too_little_: list[str] = []

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
            texts = self.model != COMPACT and not self.drop_text
            source = with_people_renamed(
                source,
                keys=keys,
                declared=declared_personal(self.schema, source.column_names),
                in_texts=texts,
                seed=self.seed,
            )
        layout = lay_out(
            source,
            self.schema,
            group_by=self.group_by,
            order_by=self.order_by,
            static=self.static,
            keep_rare=self.keep_rare,
            drop_text=self.drop_text,
            keep_text=self.model != COMPACT,
        )
        folder = None if checkpoint_dir is None else Path(checkpoint_dir)
        minutes = self.max_minutes
        if layout.texts:
            minutes = minutes and minutes * (1 - _TEXT_SHARE)
        heads = self._synthesizer(minutes and minutes * _HEAD_SHARE)
        heads.schema = layout.head_schema
        heads.fit(layout.heads, checkpoint_dir=folder and folder / _HEADS)
        if minutes is not None:
            minutes = max(minutes - (time.perf_counter() - started) / 60, 0.01)
        rows = self._synthesizer(minutes)
        self.rows_ = layout.model(self.lags, heads.schema_).fit(
            layout.rows,
            layout.plan,
            layout.ticks,
            rows,
            schema=layout.row_schema,
            checkpoint_dir=folder and folder / "rows",
            progress=progress,
        )
        self.texts_ = None
        if layout.texts:
            if minutes is not None and self.max_minutes is not None:
                minutes = max(self.max_minutes - (time.perf_counter() - started) / 60, 0.01)
            self.texts_ = GroupTexts.fit(
                layout,
                self._synthesizer(minutes, self.model),
                checkpoint_dir=folder and folder / "texts",
                progress=progress,
            )
        parts = {"entities": heads, "rows": rows}
        parts |= {"texts": self.texts_.synthesizer} if self.texts_ else {}
        self.too_little_ = [n for n, one in parts.items() if one.training_.trained != "enough"]
        self.heads_ = heads
        self.layout_ = layout.kept
        self.fit_seconds_ = time.perf_counter() - started
        return self

    def _synthesizer(self, minutes: float | None, model: str = COMPACT) -> Synthesizer:
        return Synthesizer(
            model=model,
            text=self.text,
            personal_data="keep",
            keep_rare=self.keep_rare,
            # Without a language model texts were refused or dropped, and categories stay such: the
            # rows' past refers to them.
            drop_text=self.drop_text or model == "compact",
            max_minutes=minutes,
            max_epochs=self.max_epochs,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
            seed=self.seed,
        )

    @property
    def schema_(self) -> TableSchema:
        """The schema of the rows that are written."""
        return written_schema(self._fitted(), self.heads_.schema_, self.rows_, self.texts_)

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
        plan = row_plan(heads.table, self.rows_, rows)
        cut = 0 if max_length is None else int((plan.lengths > max_length).sum())
        settings = DrawSettings(seed=seed, temperature=temperature, top_p=top_p)
        deadline = None if max_seconds is None else started + max_seconds
        written = self.rows_.write(
            plan,
            settings,
            where=of_rows,
            given=rows,
            max_length=max_length,
            deadline=deadline,
            progress=progress,
        )
        asked = heads.report.asked
        keys = new_keys(layout.key, heads.table.num_rows, seed) if rows is None else rows.keys
        table = whole_rows(layout, keys, heads.table, written, self.rows_.axis, seed)
        if self.texts_ is not None and table.num_rows:
            table = self.texts_.beside(table, written, settings, deadline)
        report = GroupReport(
            asked=asked,
            groups=len(np.unique(written.groups)),
            rows=table.num_rows,
            cut=cut,
            unfinished=written.unfinished,
            redrawn=heads.report.redrawn + written.redrawn,
            seconds=time.perf_counter() - started,
            memorization_guard=None if self.texts_ is None else self.texts_.memorization_guard,
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

    def _fitted(self) -> GroupLayout:
        layout: GroupLayout | None = getattr(self, "layout_", None)
        if layout is None:
            raise NotFittedError("This synthesizer has learned nothing yet.")
        return layout

    def save(self, folder: str | Path) -> Path:
        """Write the two bundles and what joins them; JSON and safetensors, no rows."""
        layout, folder, owner = self._fitted(), Path(folder), OwnerFolder.of(folder)
        self.heads_.save(folder / _HEADS, owner=owner.part(_HEADS))
        self.rows_.save(folder, owner)
        if self.texts_ is not None:
            self.texts_.save(folder, owner)
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
        owner = OwnerFolder.of(folder)
        self.heads_ = Synthesizer.load(Path(folder) / _HEADS, owner=owner.part(_HEADS))
        self.rows_ = SequenceModel.load(Path(folder), owner)
        self.texts_ = GroupTexts.load(Path(folder), owner)
        self.layout_ = layout
        return self
