"""One sampling run over a set: rows of every table, then parents found for them, then keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.progress import Progress, Step
from llmsynth.relational.keys import new_keys
from llmsynth.relational.matching import NO_PARENT, Codes, match
from llmsynth.relational.related_sample import RelatedReport
from llmsynth.relational.row_drawer import DrawSettings
from llmsynth.relational.table_model import Drawn, TableModel
from llmsynth.relational.table_part import context_of, count_name
from llmsynth.relational.wishes import Wish
from llmsynth.schema.metadata_set import MetadataSet
from llmsynth.schema.storage import arrow_type


class SetWriter:
    """One sampling run: rows of every table, then the parents that are found for them."""

    def __init__(
        self,
        metadata: MetadataSet,
        models: Mapping[str, TableModel],
        settings: DrawSettings,
        deadline: float | None,
        scale: float,
        progress: Progress,
    ) -> None:
        self._metadata, self._models = metadata, models
        self._settings, self._deadline = settings, deadline
        self._scale, self._progress = scale, progress
        self._cells: dict[str, pa.Table] = {}
        self._context: dict[str, pa.Table] = {}
        self._parent_of: dict[str, Codes] = {}
        self.report = RelatedReport()

    def run(self) -> None:
        """Draw every table, parents first; tables that only fill wishes come when wished for."""
        later = {
            wish.link.parent
            for model in self._models.values()
            for wish in model.wishes
            if wish.is_one_to_one and self._is_only_wished_for(wish.link.parent)
        }
        for name in self._metadata.order():
            if name in later or self._models[name].within is not None:
                continue
            self._draw(name, None)
            for wish in self._models[name].wishes:
                self._find(name, wish)
            for inlaid in self._models[name].inlaid:
                rows = self._cells[name]
                self._cells[inlaid.link.parent] = inlaid.parents(rows)
                self._parent_of[str(inlaid.link)] = np.arange(rows.num_rows)
        for name in later - set(self._cells):
            self._draw(name, 1)

    def _is_only_wished_for(self, name: str) -> bool:
        return not self._metadata.links_of(name) and len(self._metadata.children_of(name)) == 1

    def _draw(self, name: str, count: int | None, given: pa.Table | None = None) -> None:
        model = self._models[name]
        index = list(self._models).index(name)
        settings = replace(self._settings, seed=self._settings.seed * 1009 + index)
        if model.first_link is None:
            rows = max(1, round(self._scale * model.num_rows)) if count is None else count
            self._keep(model, model.draw_alone(rows, settings, self._deadline, given))
            return
        parent = model.first_link.parent
        drawn = model.draw_under(
            self._context_of(parent),
            self._cells[parent],
            settings,
            self._deadline,
            part_of(self._progress, index, len(self._models)),
        )
        self._keep(model, drawn)

    def _keep(self, model: TableModel, drawn: Drawn) -> None:
        self._cells[model.name] = self._with_shares(model, drawn.cells)
        if model.first_link is not None and drawn.parents is not None:
            self._parent_of[str(model.first_link)] = drawn.parents
        for reason, count in drawn.unfinished.items():
            self.report.unfinished[f"{model.name}: {reason}"] = count
        if drawn.stopped != "complete":
            self.report.stopped = drawn.stopped

    def _with_shares(self, model: TableModel, cells: pa.Table) -> pa.Table:
        """Cells whose counts of children have the learned shares, where rows are drawn plainly."""
        if (self._settings.temperature, self._settings.top_p) != (1.0, 1.0):
            return cells
        index = list(self._models).index(model.name)
        for place, (name, shares) in enumerate(model.counts.items()):
            rng = np.random.default_rng((self._settings.seed, index, place))
            drawn = np.asarray(cells[name].combine_chunks(), np.int64)
            at = cells.column_names.index(name)
            cells = cells.set_column(at, name, pa.array(shares.met(drawn, rng)))
        return cells

    def _context_of(self, name: str) -> pa.Table:
        if name not in self._context:
            link, above = self._models[name].first_link, None
            if link is not None:
                above = self._context_of(link.parent).take(pa.array(self._parent_of[str(link)]))
            self._context[name] = context_of(name, self._cells[name], above)
        return self._context[name]

    def _find(self, name: str, wish: Wish) -> None:
        """Give each row of a table a parent of this kind; rows for which there is none go."""
        model, cells = self._models[name], self._cells[name]
        assert model.first_link is not None
        at = pa.array(self._parent_of[str(model.first_link)])
        context = self._context_of(model.first_link.parent).take(at)
        here = wish.has_parent(cells)
        wishes = model.wished(wish, cells, context)[here]
        parent = self._models[wish.link.parent]
        if parent.name not in self._cells and len(wishes):
            # Made for these rows alone, so as they wish.
            self._draw(parent.name, len(wishes), wish.as_cells(wishes, parent.columns))
        found = np.full(cells.num_rows, NO_PARENT, dtype=np.int64)
        parents = self._cells.get(parent.name)
        if parents is not None and parents.num_rows and len(wishes):
            offers = wish.offered(parents, parent.columns)
            slots = np.asarray(parents[count_name(wish.link)].combine_chunks(), np.int64)
            rng = np.random.default_rng((self._settings.seed, list(self._models).index(name)))
            found[here] = match(wishes, offers, slots, rng, is_single=wish.is_single)
            met = (offers[found[here]] == wishes).all(axis=1)
            self.report.matched[str(wish.link)] = float(met.mean())
        self._parent_of[str(wish.link)] = found
        if (lost := here & (found == NO_PARENT)).any():
            self._give_up(name, lost, parent.name)

    def _give_up(self, name: str, lost: npt.NDArray[np.bool_], parent: str) -> None:
        self.report.unfinished[f"{name}: no row of {parent} to name"] = int(lost.sum())
        self._cells[name] = self._cells[name].filter(pa.array(~lost))
        for link in self._metadata.links_of(name):
            if str(link) in self._parent_of:
                self._parent_of[str(link)] = self._parent_of[str(link)][~lost]

    def finished(self, name: str) -> pa.Table:
        """A table with its keys, its columns in order."""
        model, cells = self._models[name], self._cells.get(name)
        if cells is None:
            empty = pa.schema([(c.name, arrow_type(c.storage)) for c in model.columns])
            cells = empty.empty_table()
        seed, count = self._settings.seed, cells.num_rows
        columns = {n: cells[n] for n in cells.column_names}
        for column in (*model.named, *([model.key] if model.key else [])):
            columns[column.name] = new_keys(column, count, seed)
        for link in self._metadata.links_of(name):
            key = self._models[link.parent].key
            assert key is not None
            keys = new_keys(key, self._cells[link.parent].num_rows, seed)
            at = self._parent_of[str(link)]
            columns[link.column] = keys.take(pa.array(at, mask=at < 0))
        return pa.table({n: columns[n] for n in model.names})


def part_of(progress: Progress, index: int, count: int) -> Progress:
    """Reports of one part of `count` as reports of the whole."""

    def report(step: Step) -> None:
        done = step.done / step.total if step.total else 1.0
        progress(replace(step, done=(index + done) / count, total=1.0, seconds_left=None))

    return report
