"""The model of one table of a set: alone where it has no parent, else under its first parent."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa

from llmsynth.bundle.owner import OwnerFolder
from llmsynth.progress import Progress, silent
from llmsynth.relational.child_counts import CountShares
from llmsynth.relational.child_times import drawn_extent, ends
from llmsynth.relational.group_plan import GroupPlan
from llmsynth.relational.group_rows import GroupRows, only_changing, sorted_by_group
from llmsynth.relational.inlaid import Inlaid
from llmsynth.relational.matching import Codes
from llmsynth.relational.past import Groups
from llmsynth.relational.row_drawer import DrawSettings
from llmsynth.relational.sequence_model import SequenceModel
from llmsynth.relational.table_part import TablePart, count_name
from llmsynth.relational.wishes import Wish
from llmsynth.schema.columns import (
    Column,
    IdentifierColumn,
    NumberColumn,
    column_from_json,
)
from llmsynth.schema.metadata_set import ForeignKey
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.synthesizer import Synthesizer

_LAGS = 3
_LATE = 11


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
    inlaid: parents that are drawn as a piece of its rows.
    counts: how many children its rows have, by the column that holds it.
    within: what was learned of its columns in another table's rows; None where it has a model.
    usual_gap: ticks between the rows of a parent, as a rule; 0 where they have no order.
    """

    name: str
    names: tuple[str, ...]
    key: IdentifierColumn | None
    named: tuple[IdentifierColumn, ...]
    first_link: ForeignKey | None
    wishes: tuple[Wish, ...]
    num_rows: int
    inlaid: tuple[Inlaid, ...] = ()
    counts: Mapping[str, CountShares] = field(default_factory=dict)
    alone: Synthesizer | None = None
    under: SequenceModel | None = None
    within: tuple[Column, ...] | None = None
    usual_gap: int = 0

    @classmethod
    def of(cls, part: TablePart) -> Self:
        """What is known of a table before its columns are learned."""
        return cls(
            name=part.name,
            names=part.names,
            key=part.key,
            named=part.named,
            first_link=part.first_link,
            wishes=(),
            num_rows=part.cells.num_rows,
            inlaid=part.inlaid,
            within=part.schema.columns if part.is_inlaid else None,
            usual_gap=part.usual_gap,
        )

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
        self = cls.of(part)
        self.wishes = tuple(wish.known(learned[wish.link.parent].columns) for wish in part.wishes)
        if part.first_link is None:
            synthesizer.schema = part.schema
            self.alone = synthesizer.fit(
                part.cells, checkpoint_dir=checkpoint_dir, progress=progress
            )
            self._count(part)
            return self
        parents = part.parent_of[str(part.first_link)]
        rows, ticks = sorted_by_group(part.cells, parents, part.ticks, part.context.num_rows)
        columns = {f"{t.name}.{c.name}": c for t in learned.values() for c in t.columns}
        own = [replace(columns[name], name=name) for name in part.context.column_names]
        rows, schema = _without_order(part, rows)
        model = SequenceModel(own=own, columns=schema.columns, axis=part.axis, lags=_LAGS)
        first = last = None
        if ticks is not None:
            first, last = ends(ticks, rows.group_of, len(rows.lengths))
        plan = GroupPlan(own=part.context, lengths=rows.lengths, first=first, last=last)
        self.under = model.fit(
            rows,
            plan,
            ticks,
            synthesizer,
            schema=schema,
            checkpoint_dir=checkpoint_dir,
            progress=progress,
        )
        self._count(part)
        known = {column.name: column for column in self.columns}
        for inlaid in self.inlaid:
            learned[inlaid.link.parent].within = inlaid.columns(known)
        return self

    def _count(self, part: TablePart) -> None:
        known = {column.name: column for column in self.columns}
        counts: dict[str, CountShares] = {}
        for name, real in part.counts.items():
            column = known[name]
            assert isinstance(column, NumberColumn)
            least, most = (int(bound) for bound in column.bounds)
            counts[name] = CountShares.of(real, least=least, most=most)
        self.counts = counts

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that were learned: no keys, no identifiers; counts and wishes with them."""
        if self.within is not None:
            return self.within
        if self.alone is not None:
            return self.alone.schema_.columns
        assert self.under is not None
        axis = self.under.axis
        return self.under.columns if axis is None else (*self.under.columns, axis.column)

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
        axis = self.under.axis
        plan = GroupPlan(own=context, lengths=lengths)
        if axis is not None:
            rng = np.random.default_rng((settings.seed, _LATE))
            gap = self.usual_gap
            extent = drawn_extent(parents, self.first_link, axis, lengths, gap=gap, rng=rng)
            least = self.under.least_gap
            plan = GroupPlan.timed(context, *extent, axis=axis, least_gap=least)
        written = self.under.write(plan, settings, deadline=deadline, progress=progress)
        cells = written.table
        if axis is not None and written.ticks is not None:
            cells = cells.append_column(axis.column.name, axis.cells(written.ticks))
        above, known = context.take(pa.array(written.groups)), {c.name: c for c in self.columns}
        for inlaid in self.inlaid:
            cells = inlaid.settled(cells, above, known)
        return Drawn(
            cells=cells,
            parents=written.groups,
            unfinished=written.unfinished,
            stopped=written.stopped,
        )

    def wished(self, wish: Wish, cells: pa.Table, context: pa.Table) -> Codes:
        """What drawn rows wish their parent to be like; see `Wish.wished`."""
        assert self.under is not None
        return wish.wished(cells, context, {column.name: column for column in self.under.own})

    def save(self, folder: Path, owner: OwnerFolder) -> dict[str, object]:
        """Write the model's bundle; what else is known of the table comes back, JSON-ready."""
        if self.alone is not None:
            self.alone.save(folder, owner=owner)
        if self.under is not None:
            self.under.save(folder, owner)
        return {
            "name": self.name,
            "names": list(self.names),
            "key": None if self.key is None else self.key.to_json(),
            "named": [column.to_json() for column in self.named],
            "rows": self.num_rows,
            "wishes": [wish.to_json() for wish in self.wishes],
            "usual_gap": self.usual_gap,
            "inlaid": [inlaid.to_json() for inlaid in self.inlaid],
            "counts": {name: shares.to_json() for name, shares in self.counts.items()},
            "within": None if self.within is None else [c.to_json() for c in self.within],
        }

    @classmethod
    def load(
        cls,
        folder: Path,
        owner: OwnerFolder,
        data: dict[str, object],
        links: tuple[ForeignKey, ...],
    ) -> Self:
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
            usual_gap=int(str(data["usual_gap"])),
            inlaid=tuple(Inlaid.from_json(i, links) for i in data["inlaid"]),  # type: ignore[attr-defined]
            counts={n: CountShares.from_json(s) for n, s in data["counts"].items()},  # type: ignore[attr-defined]
        )
        if data["within"] is not None:
            self.within = tuple(column_from_json(c) for c in data["within"])  # type: ignore[attr-defined]
        elif links:
            self.under = SequenceModel.load(folder, owner)
        else:
            self.alone = Synthesizer.load(folder, owner=owner)
        return self


def _without_order(part: TablePart, rows: GroupRows) -> tuple[GroupRows, TableSchema]:
    """Rows and schema less the ordering column, which is made of gaps."""
    if part.axis is None:
        return rows, part.schema
    changing = [n for n in part.schema.names if n != part.axis.column.name]
    return only_changing(rows, part.schema, changing)
