"""Learns how the rows of a group go on, and writes those of many groups side by side.

One compact model draws a row's cells under its context: the group's own cells, how many rows are
behind and ahead, the last rows and the mean so far, and the time. Contexts of training rows are
made by the code that makes them while sampling (`Past`), so the two cannot differ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa

from llmsynth.bundle.owner import OwnerFolder
from llmsynth.errors import BundleError
from llmsynth.progress import Progress, Step, silent
from llmsynth.relational.cell_numbers import CellNumbers
from llmsynth.relational.context_fields import Field, context_table
from llmsynth.relational.gaps import fitted_gaps, gap_column, gaps_of, least_gap, settled_gaps
from llmsynth.relational.given_rows import GivenRows
from llmsynth.relational.group_plan import GroupPlan
from llmsynth.relational.group_rows import GroupRows
from llmsynth.relational.past import GAP, Groups, Past
from llmsynth.relational.row_drawer import DrawSettings, RowDrawer
from llmsynth.relational.scale import Numbers
from llmsynth.relational.time_axis import Ticks, TimeAxis
from llmsynth.relational.written_rows import Written
from llmsynth.schema.columns import Column, column_from_json
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.synthesizer import Synthesizer

FILE = "sequence.json"
_ROWS = "rows"
_NEAR_BINS, _FAR_BINS = 128, 32
_MOST_LAGGED = 24
"""Columns times lags; more columns are remembered fewer rows back."""


class SequenceModel:
    """The rows of groups, given what is settled about each group.

    Args:
        own: columns of the group's own cells.
        columns: columns that change from row to row, as they are written; never the ordering one.
        axis: the ordering column; None where rows only have a place.
        lags: how many rows back are remembered one by one.
    """

    def __init__(
        self,
        *,
        own: Sequence[Column],
        columns: Sequence[Column],
        axis: TimeAxis | None,
        lags: int,
    ) -> None:
        self.own, self.axis = tuple(own), axis
        remembered = len(columns) + (axis is not None)
        self.lags = max(1, min(lags, _MOST_LAGGED // max(remembered, 1)))
        self._own_readers = {column.name: CellNumbers(column) for column in own}
        self._know(columns)
        self.fields: tuple[Field, ...] = ()
        self.synthesizer: Synthesizer | None = None

    def fit(
        self,
        rows: GroupRows,
        plan: GroupPlan,
        ticks: Ticks | None,
        synthesizer: Synthesizer,
        *,
        schema: TableSchema,
        checkpoint_dir: Path | None = None,
        progress: Progress = silent,
    ) -> Self:
        """Learn rows in group order.

        Args:
            ticks: int64 (rows,), of the ordering column.
            synthesizer: carries the settings; its context and schema are set here.
            schema: of the changing columns, with the constraints that hold within a row.
        """
        groups = rows.group_of
        numbers = {name: self._readers[name].read(rows.table[name]) for name in self._readers}
        table = rows.table.select(list(self._readers))
        columns = [schema.column(name) for name in self._readers]
        if ticks is not None:
            gaps = gaps_of(ticks, groups)
            numbers[GAP] = gaps
            missing = np.isnan(gaps)
            cells = pa.array(np.where(missing, 0, gaps).astype(np.int64), mask=missing)
            table = table.add_column(0, GAP, cells)
            columns.insert(0, gap_column(gaps))
        context = self._contexts(rows, plan, numbers, ticks)
        levels = self._levels()
        self.fields = tuple(
            Field.of(name, values, groups, levels.get(name), most_bins=_bins(name))
            for name, values in context.items()
        )
        given = context_table(self.fields, context)
        synthesizer.context = tuple(given.column_names)
        synthesizer.schema = TableSchema(
            columns=(*(f.column for f in self.fields), *columns), constraints=schema.constraints
        )
        for name, cells in zip(table.column_names, table.columns, strict=True):
            given = given.append_column(name, cells)
        synthesizer.fit(given, checkpoint_dir=checkpoint_dir, progress=progress, entities=groups)
        self.synthesizer = synthesizer
        # From here on nothing is known of values that too few groups hold.
        self._know([synthesizer.schema_.column(name) for name in self._readers])
        known = self._levels()
        self.fields = tuple(replace(f, levels=known.get(f.name)) for f in self.fields)
        return self

    def _know(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self._readers = {column.name: CellNumbers(column) for column in columns}

    def write(
        self,
        plan: GroupPlan,
        settings: DrawSettings,
        *,
        where: Mapping[str, object] | None = None,
        given: GivenRows | None = None,
        max_length: int | None = None,
        deadline: float | None = None,
        progress: Progress = silent,
    ) -> Written:
        """Write the rows of every group, one row of each at a time.

        Args:
            where: changing columns whose cell is the same in all rows.
            given: some cells of every row, whose groups are those of the plan.
            max_length: most rows of a group; the rows that are written are those of a longer one.
            deadline: on `time.perf_counter`; what is there by then is kept.
        """
        assert self.synthesizer is not None
        drawer = RowDrawer(self.synthesizer, settings, where or {}, deadline)
        past = self._past(plan)
        own = self._own_numbers(plan.own)
        least = self.least_gap
        alive = plan.lengths > 0
        parts: list[tuple[Groups, Ticks | None, pa.Table]] = []
        wanted = plan.lengths if max_length is None else np.minimum(plan.lengths, max_length)
        done, total = 0, int(wanted.sum())
        for step in range(int(wanted.max(initial=0))):
            groups = np.flatnonzero(alive & (plan.lengths > step))
            numbers = past.read(groups) | {name: cells[groups] for name, cells in own.items()}
            context = context_table(self.fields, numbers, self.synthesizer.schema_)
            left = (plan.lengths - step)[groups]
            gaps = settled_gaps(numbers, step, left) if self.axis else None
            fixed = None
            if given is not None:
                context = given.beside(context, groups, step)
                fixed = given.ticks_at(groups, step)
            if fixed is not None and past.now is not None and step:
                gaps = (fixed - past.now[groups]).astype(np.float64)
            drawn, came = drawer.draw(context, gaps, step)
            alive[groups[~came]] = False
            groups, left = groups[came], left[came]
            ticks = None
            numbers = {name: r.read(drawn[name]) for name, r in self._readers.items()}
            if past.now is not None and plan.last is not None:
                gap = np.asarray(drawn[GAP].combine_chunks().fill_null(0), dtype=np.int64)
                room = plan.last[groups] - past.now[groups]
                chance = np.random.default_rng((settings.seed, step)).random(len(gap))
                gap = fitted_gaps(gap, room, left, step, least, chance)
                if fixed is not None:
                    gap = fixed[came] - past.now[groups]
                ticks = past.now[groups] + gap
                numbers[GAP] = gap.astype(np.float64) if step else np.full(len(gap), np.nan)
            past.add(groups, numbers, ticks)
            parts.append((groups, ticks, drawn.select(list(self._readers))))
            done += len(groups)
            progress(Step(stage="sample", done=done, total=total))
            if drawer.stopped != "complete":
                break
        written = Written.of(parts, self.columns, is_ordered=self.axis is not None)
        written.stopped, written.redrawn = drawer.stopped, drawer.redrawn
        counted = np.bincount(written.groups, minlength=len(wanted))
        if drawer.dropped:
            written.unfinished["declared constraints not met"] = drawer.dropped
        late = int((counted < wanted).sum()) - drawer.dropped
        if late > 0:
            written.unfinished[f"stopped: {drawer.stopped}"] = late
        return written

    @property
    def least_gap(self) -> int:
        """The smallest gap the model may draw: 0 where two rows of a group may fall together."""
        assert self.synthesizer is not None
        return least_gap(self.synthesizer.schema_)

    def _past(self, plan: GroupPlan) -> Past:
        changing = [name for name, reader in self._readers.items() if reader.levels is None]
        gap = [GAP] if self.axis is not None else []
        return Past(
            plan.lengths,
            columns=[*gap, *self._readers],
            averaged=[*gap, *changing],
            lags=self.lags,
            axis=self.axis,
            first=plan.first,
            last=plan.last,
        )

    def _contexts(
        self, rows: GroupRows, plan: GroupPlan, numbers: Mapping[str, Numbers], ticks: Ticks | None
    ) -> dict[str, Numbers]:
        """What preceded each of the real rows."""
        past, groups_of = self._past(plan), rows.group_of
        own = self._own_numbers(plan.own)
        out: dict[str, Numbers] = {name: cells[groups_of] for name, cells in own.items()}
        for step in range(int(rows.lengths.max(initial=0))):
            groups = np.flatnonzero(rows.lengths > step)
            at = rows.first[groups] + step
            for name, values in past.read(groups).items():
                out.setdefault(name, np.full(len(groups_of), np.nan))[at] = values
            here = {name: values[at] for name, values in numbers.items()}
            past.add(groups, here, None if ticks is None else ticks[at])
        return out

    def _own_numbers(self, own: pa.Table) -> dict[str, Numbers]:
        return {f"#own {name}": r.read(own[name]) for name, r in self._own_readers.items()}

    def _levels(self) -> dict[str, tuple[str, ...]]:
        out = {f"#own {n}": r.levels for n, r in self._own_readers.items() if r.levels is not None}
        for name, reader in self._readers.items():
            if reader.levels is not None:
                out |= {f"#{lag + 1} {name}": reader.levels for lag in range(self.lags)}
        return out

    def save(self, folder: Path, owner: OwnerFolder) -> None:
        """Write the bundle of the rows' model, and what is read before it, as JSON."""
        assert self.synthesizer is not None
        self.synthesizer.save(folder / _ROWS, owner=owner.part(_ROWS))
        data = {
            "own": [column.to_json() for column in self.own],
            "columns": [column.to_json() for column in self.columns],
            "axis": None if self.axis is None else self.axis.column.to_json(),
            "lags": self.lags,
            "fields": [f.to_json() for f in self.fields],
        }
        (folder / FILE).write_text(json.dumps(data, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, owner: OwnerFolder) -> Self:
        """A model that `save` wrote.

        Raises:
            BundleError: the folder holds none, or a broken one.
        """
        try:
            data = json.loads((folder / FILE).read_text(encoding="utf-8"))
            axis = data["axis"]
            self = cls(
                own=[column_from_json(c) for c in data["own"]],
                columns=[column_from_json(c) for c in data["columns"]],
                axis=None if axis is None else TimeAxis(column_from_json(axis)),
                lags=int(data["lags"]),
            )
            self.lags = int(data["lags"])
            self.fields = tuple(Field.from_json(f) for f in data["fields"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BundleError(f"{folder / FILE} cannot be read: {error}.") from error
        self.synthesizer = Synthesizer.load(folder / _ROWS, owner=owner.part(_ROWS))
        return self


def _bins(name: str) -> int:
    """More bins for the row just before, the group's own cells and the time than further back."""
    is_far = name.startswith("#") and name[1].isdigit() and not name.startswith("#1 ")
    return _FAR_BINS if is_far else _NEAR_BINS
