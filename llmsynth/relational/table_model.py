"""The model of one table of a set: alone where it has no parent, else under its first parent."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa

from llmsynth.progress import Progress, silent
from llmsynth.relational.group_rows import sorted_by_group
from llmsynth.relational.matching import Codes
from llmsynth.relational.past import Groups
from llmsynth.relational.row_drawer import DrawSettings
from llmsynth.relational.sequence_model import GroupPlan, SequenceModel
from llmsynth.relational.table_parts import TablePart, count_name
from llmsynth.relational.wishes import Wish
from llmsynth.schema.columns import (
    Column,
    IdentifierColumn,
    column_from_json,
)
from llmsynth.schema.metadata_set import ForeignKey
from llmsynth.synthesizers.synthesizer import Synthesizer

_LAGS = 3


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Rows of one table before their keys.

    parents: int64 (rows,), row of the first parent; None for a table without one.
    """

    cells: pa.Table
    parents: Groups | None
    unfinished: Mapping[str, int]
    stopped: str


@dataclass
class TableModel:
    """What was learned of one table.

    names: its columns in order, texts left out.
    num_rows: how many rows it had.
    """

    name: str
    names: tuple[str, ...]
    key: IdentifierColumn | None
    named: tuple[IdentifierColumn, ...]
    first_link: ForeignKey | None
    wishes: tuple[Wish, ...]
    num_rows: int
    alone: Synthesizer | None = None
    under: SequenceModel | None = None

    @classmethod
    def fit(
        cls,
        part: TablePart,
        learned: Mapping[str, TableModel],
        synthesizer: Synthesizer,
        *,
        checkpoint_dir: Path | None,
        progress: Progress = silent,
    ) -> Self:
        """Learn a table whose parents have been learned."""
        self = cls(
            name=part.name,
            names=part.names,
            key=part.key,
            named=part.named,
            first_link=part.first_link,
            wishes=tuple(wish.known(learned[wish.link.parent].columns) for wish in part.wishes),
            num_rows=part.cells.num_rows,
        )
        if part.first_link is None:
            synthesizer.schema = part.schema
            self.alone = synthesizer.fit(
                part.cells, checkpoint_dir=checkpoint_dir, progress=progress
            )
            return self
        parents = part.parent_of[str(part.first_link)]
        rows, _ = sorted_by_group(part.cells, parents, None, part.context.num_rows)
        columns = {f"{t.name}.{c.name}": c for t in learned.values() for c in t.columns}
        own = [replace(columns[name], name=name) for name in part.context.column_names]
        model = SequenceModel(own=own, columns=part.schema.columns, axis=None, lags=_LAGS)
        plan = GroupPlan(own=part.context, lengths=rows.lengths)
        self.under = model.fit(
            rows,
            plan,
            None,
            synthesizer,
            schema=part.schema,
            checkpoint_dir=checkpoint_dir,
            progress=progress,
        )
        return self

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that were learned: no keys, no identifiers; counts and wishes with them."""
        if self.alone is not None:
            return self.alone.schema_.columns
        assert self.under is not None
        return self.under.columns

    def draw_alone(
        self,
        count: int,
        settings: DrawSettings,
        deadline: float | None,
        given: pa.Table | None = None,
    ) -> Drawn:
        """Rows of a table that has no parent; `given` fixes some of their columns."""
        assert self.alone is not None
        seconds = None if deadline is None else max(deadline - time.perf_counter(), 1e-6)
        sample = self.alone.sample(
            count,
            given=given,
            seed=settings.seed,
            temperature=settings.temperature,
            top_p=settings.top_p,
            max_seconds=seconds,
        )
        lost = {"rows not drawn": count - len(sample)} if len(sample) < count else {}
        return Drawn(
            cells=sample.table, parents=None, unfinished=lost, stopped=sample.report.stopped
        )

    def draw_under(
        self,
        context: pa.Table,
        parents: pa.Table,
        settings: DrawSettings,
        deadline: float | None,
        progress: Progress,
    ) -> Drawn:
        """Rows for every parent, as many as were drawn for it.

        Args:
            context: of each parent; parents: their own drawn cells.
        """
        assert self.under is not None
        assert self.first_link is not None
        lengths = np.asarray(parents[count_name(self.first_link)].combine_chunks(), np.int64)
        plan = GroupPlan(own=context, lengths=lengths)
        written = self.under.write(plan, settings, deadline=deadline, progress=progress)
        return Drawn(
            cells=written.table,
            parents=written.groups,
            unfinished=written.unfinished,
            stopped=written.stopped,
        )

    def wished(self, wish: Wish, cells: pa.Table, context: pa.Table) -> Codes:
        """What drawn rows wish their parent to be like; see `Wish.wished`."""
        assert self.under is not None
        return wish.wished(cells, context, {column.name: column for column in self.under.own})

    def save(self, folder: Path) -> dict[str, object]:
        """Write the model's bundle; what else is known of the table comes back, JSON-ready."""
        if self.alone is not None:
            self.alone.save(folder)
        if self.under is not None:
            self.under.save(folder)
        return {
            "name": self.name,
            "names": list(self.names),
            "key": None if self.key is None else self.key.to_json(),
            "named": [column.to_json() for column in self.named],
            "rows": self.num_rows,
            "wishes": [wish.to_json() for wish in self.wishes],
        }

    @classmethod
    def load(cls, folder: Path, data: dict[str, object], links: tuple[ForeignKey, ...]) -> Self:
        """A model that `save` wrote.

        Raises:
            BundleError, SchemaError, KeyError, TypeError: it is broken.
        """
        named = [column_from_json(c) for c in data["named"]]  # type: ignore[attr-defined]
        key = None if data["key"] is None else column_from_json(data["key"])  # type: ignore[arg-type]
        self = cls(
            name=str(data["name"]),
            names=tuple(map(str, data["names"])),  # type: ignore[call-overload]
            key=key if isinstance(key, IdentifierColumn) else None,
            named=tuple(c for c in named if isinstance(c, IdentifierColumn)),
            first_link=links[0] if links else None,
            num_rows=int(str(data["rows"])),
            wishes=tuple(Wish.from_json(w, links) for w in data["wishes"]),  # type: ignore[attr-defined]
        )
        if links:
            self.under = SequenceModel.load(folder)
        else:
            self.alone = Synthesizer.load(folder)
        return self
