"""Tables that name each other's rows: fit, sample a new set with exact keys, save, load."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa

from llmsynth.errors import BundleError, NotFittedError, SettingsError
from llmsynth.progress import Progress, Step, silent
from llmsynth.relational.keys import new_keys
from llmsynth.relational.matching import NO_PARENT, Codes, match
from llmsynth.relational.related_sample import RelatedReport, RelatedSample
from llmsynth.relational.row_drawer import DrawSettings
from llmsynth.relational.table_model import Drawn, TableModel
from llmsynth.relational.table_parts import Wish, context_of, count_name, take_apart
from llmsynth.schema.columns import Column
from llmsynth.schema.metadata_set import MetadataSet, SetTable
from llmsynth.schema.storage import arrow_type
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth.tables.reading import read_table

if TYPE_CHECKING:
    from llmsynth.tables.reading import TableSource

FORMAT = "llmsynth-related-1"
FILE = "related.json"


class RelatedSynthesizer:
    """Learns a set of tables and writes a new set.

    A table without a parent is learned with the number of children that each of its rows has. The
    rows of other tables are made under the parent that their first foreign key names, as a group of
    rows: given its cells, those of its own parents, and the rows before. What their other parents
    are like is drawn with them, and existing rows that fit are found. Every key is new.

    Args:
        metadata: tables, primary keys and foreign keys.
        missing, keep_rare, drop_text, seed: as in `Synthesizer`, for all tables.
        max_minutes: of the whole fit; max_epochs, hidden_size, num_layers: of each model.
    """

    def __init__(
        self,
        metadata: MetadataSet,
        *,
        missing: Sequence[str] = (),
        keep_rare: bool = False,
        drop_text: bool = False,
        max_minutes: float | None = None,
        max_epochs: float | None = None,
        hidden_size: int | None = None,
        num_layers: int | None = None,
        seed: int = 0,
    ) -> None:
        self.metadata = metadata
        self.missing = tuple(missing)
        self.keep_rare, self.drop_text = keep_rare, drop_text
        self.max_minutes, self.max_epochs = max_minutes, max_epochs
        self.hidden_size, self.num_layers = hidden_size, num_layers
        self.seed = seed

    def fit(
        self,
        tables: Mapping[str, TableSource],
        *,
        checkpoint_dir: str | Path | None = None,
        progress: Progress = silent,
    ) -> Self:
        """Learn tables, given by name.

        Raises:
            TableError: a table or key that is missing, a key used twice, a row that names a parent
                that does not exist, or fewer than 20 rows.
            SchemaError: free text, or a schema that does not fit its table.
        """
        started = time.perf_counter()
        read = {name: read_table(tables[name], missing=self.missing) for name in tables}
        parts = take_apart(self.metadata, read, drop_text=self.drop_text)
        sizes = {name: part.cells.num_rows * part.cells.num_columns for name, part in parts.items()}
        folder = None if checkpoint_dir is None else Path(checkpoint_dir)
        models: dict[str, TableModel] = {}
        for index, (name, part) in enumerate(parts.items()):
            minutes = None
            if self.max_minutes is not None:
                left = self.max_minutes - (time.perf_counter() - started) / 60
                waiting = sum(sizes[other] for other in parts if other not in models)
                minutes = max(left * sizes[name] / max(waiting, 1), 0.01)
            models[name] = TableModel.fit(
                part,
                models,
                self._synthesizer(minutes),
                checkpoint_dir=folder and folder / name_of_folder(index),
                progress=_share(progress, index, len(parts)),
            )
        self.models_ = models
        self.fit_seconds_ = time.perf_counter() - started
        return self

    def _synthesizer(self, minutes: float | None) -> Synthesizer:
        return Synthesizer(
            keep_rare=self.keep_rare,
            max_minutes=minutes,
            max_epochs=self.max_epochs,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
            seed=self.seed,
        )

    def sample(
        self,
        scale: float = 1.0,
        *,
        seed: int = 0,
        temperature: float = 1.0,
        top_p: float = 1.0,
        max_seconds: float | None = None,
        progress: Progress = silent,
    ) -> RelatedSample:
        """Write a new set of tables.

        Args:
            scale: rows of tables without parents, as a multiple of those that were learned.
            max_seconds: wall-clock limit; what there is by then is kept, and every key still holds.

        Raises:
            NotFittedError: nothing was learned yet.
        """
        models = self._fitted()
        if not scale > 0:
            raise SettingsError(f"scale must be above 0, got {scale}.")
        started = time.perf_counter()
        deadline = None if max_seconds is None else started + max_seconds
        settings = DrawSettings(seed=seed, temperature=temperature, top_p=top_p)
        writing = _Writing(self.metadata, models, settings, deadline, scale, progress)
        writing.run()
        tables = {name: writing.finished(name) for name in self.metadata.tables}
        report = writing.report
        report.rows = {name: table.num_rows for name, table in tables.items()}
        report.seconds = time.perf_counter() - started
        return RelatedSample(tables, self.schemas_, report)

    @property
    def schemas_(self) -> dict[str, TableSchema]:
        """The schema of each table that is written."""
        models = self._fitted()
        out = {}
        for name, model in models.items():
            known: dict[str, Column] = {c.name: c for c in (*model.columns, *model.named)}
            if model.key is not None:
                known[model.key.name] = model.key
            for link in self.metadata.links_of(name):
                key = models[link.parent].key
                assert key is not None
                known[link.column] = replace(key, name=link.column, unique=False, nullable=True)
            out[name] = TableSchema(columns=tuple(known[n] for n in model.names))
        return out

    def _fitted(self) -> dict[str, TableModel]:
        models: dict[str, TableModel] | None = getattr(self, "models_", None)
        if models is None:
            raise NotFittedError("This synthesizer has learned nothing yet.")
        return models

    def save(self, folder: str | Path) -> Path:
        """Write a bundle a table, and what joins them; JSON and safetensors, no rows."""
        models, folder = self._fitted(), Path(folder)
        tables = []
        for index, model in enumerate(models.values()):
            tables.append(model.save(folder / name_of_folder(index)))
        bare = {
            name: SetTable(primary_key=t.primary_key) for name, t in self.metadata.tables.items()
        }
        joined = MetadataSet(tables=bare, foreign_keys=self.metadata.foreign_keys)
        data = {"format": FORMAT, "set": json.loads(joined.to_json()), "tables": tables}
        text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
        (folder / FILE).write_text(text, encoding="utf-8")
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a synthesizer that `save` wrote.

        Raises:
            BundleError: the folder holds none, or a broken one.
        """
        path = Path(folder) / FILE
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["format"] != FORMAT:
                raise BundleError(f"{path}: expected format {FORMAT!r}, got {data['format']!r}.")
            metadata = MetadataSet.from_json(json.dumps(data["set"]))
            models = {}
            for index, entry in enumerate(data["tables"]):
                links = metadata.links_of(str(entry["name"]))
                own = Path(folder) / name_of_folder(index)
                models[str(entry["name"])] = TableModel.load(own, entry, links)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BundleError(
                f"{path} cannot be read: {error}.",
                hint="Give the folder that `llmsynth fit-related` wrote.",
            ) from error
        self = cls(metadata)
        self.models_ = models
        return self


def name_of_folder(index: int) -> str:
    """Folder of a table's bundle; table names may hold what no folder can."""
    return f"table-{index}"


class _Writing:
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
            if name in later:
                continue
            self._draw(name, None)
            for wish in self._models[name].wishes:
                self._find(name, wish)
        for name in later - set(self._cells):
            self._draw(name, 1)

    def _is_only_wished_for(self, name: str) -> bool:
        return not self._metadata.links_of(name) and len(self._metadata.children_of(name)) == 1

    def _draw(self, name: str, count: int | None) -> None:
        model = self._models[name]
        index = list(self._models).index(name)
        settings = replace(self._settings, seed=self._settings.seed * 1009 + index)
        if model.first_link is None:
            rows = max(1, round(self._scale * model.num_rows)) if count is None else count
            self._keep(model, model.draw_alone(rows, settings, self._deadline))
            return
        parent = model.first_link.parent
        drawn = model.draw_under(
            self._context_of(parent),
            self._cells[parent],
            settings,
            self._deadline,
            _share(self._progress, index, len(self._models)),
        )
        self._keep(model, drawn)

    def _keep(self, model: TableModel, drawn: Drawn) -> None:
        self._cells[model.name] = drawn.cells
        if model.first_link is not None and drawn.parents is not None:
            self._parent_of[str(model.first_link)] = drawn.parents
        for reason, count in drawn.unfinished.items():
            self.report.unfinished[f"{model.name}: {reason}"] = count
        if drawn.stopped != "complete":
            self.report.stopped = drawn.stopped

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
        here = model.has_parent(wish, cells)
        needed = int(here.sum())
        parent = wish.link.parent
        if parent not in self._cells and needed:
            self._draw(parent, needed)
        found = np.full(cells.num_rows, NO_PARENT, dtype=np.int64)
        if needed and self._cells[parent].num_rows:
            wishes = model.wished(wish, cells)[here]
            offers = self._models[parent].offered(wish, self._cells[parent])
            slots = np.asarray(
                self._cells[parent][count_name(wish.link)].combine_chunks(), np.int64
            )
            rng = np.random.default_rng((self._settings.seed, list(self._models).index(name)))
            found[here] = match(wishes, offers, slots, rng, is_single=wish.is_single)
            met = (offers[found[here]] == wishes).all(axis=1)
            self.report.matched[str(wish.link)] = float(met.mean())
        self._parent_of[str(wish.link)] = found
        if (lost := here & (found == NO_PARENT)).any():
            self._give_up(name, lost, parent)

    def _give_up(
        self, name: str, lost: np.ndarray[tuple[int], np.dtype[np.bool_]], parent: str
    ) -> None:
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


def _share(progress: Progress, index: int, count: int) -> Progress:
    """Reports of one part of `count` as reports of the whole."""

    def report(step: Step) -> None:
        done = step.done / step.total if step.total else 1.0
        progress(replace(step, done=(index + done) / count, total=1.0, seconds_left=None))

    return report
