"""Tables that name each other's rows: fit, sample a new set with exact keys, save, load."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from llmsynth.bundle.owner import OwnerFolder
from llmsynth.errors import NotFittedError, SettingsError
from llmsynth.personal_data.pseudonyms import Pseudonyms
from llmsynth.personal_data.replacement import with_people_renamed
from llmsynth.progress import Progress, silent
from llmsynth.relational.joining_file import RELATED
from llmsynth.relational.no_private_fit import refuse_privacy
from llmsynth.relational.related_sample import RelatedSample
from llmsynth.relational.row_drawer import DrawSettings
from llmsynth.relational.set_writer import SetWriter, part_of
from llmsynth.relational.table_model import TableModel
from llmsynth.relational.table_parts import take_apart
from llmsynth.schema.columns import Column
from llmsynth.schema.metadata_set import MetadataSet, SetTable
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth.tables.reading import read_table

if TYPE_CHECKING:
    from llmsynth.tables.reading import TableSource

_LEAST_ROWS = 2000
"""Rows a table is given on top where a time budget is shared out: few rows need more passes."""


class RelatedSynthesizer:
    """Learns a set of tables and writes a new set.

    A table without a parent is learned with the number of children that each of its rows has. The
    rows of other tables are made under the parent that their first foreign key names, as a group of
    rows: given its cells, those of its own parents, and the rows before; in the order of the
    table's `order_by` column, if it has one, times never going back. What their other parents are
    like is drawn with them, and existing rows that fit are found; a parent that belongs to one row
    alone is drawn in it. The learned shares of parents by number of children are met to a row.
    Every key is new.

    Args:
        metadata: tables, primary keys, foreign keys and orders of rows.
        missing, keep_rare, drop_text, seed: as in `Synthesizer`, for all tables.
        max_minutes: of the whole fit; max_epochs, hidden_size, num_layers: of each model.
        epsilon: refused: related tables have no private fit.

    Attributes:
        too_little_: after a fit, the tables for which the time limit came before much was learned.
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
        epsilon: float | None = None,
    ) -> None:
        refuse_privacy(epsilon)
        self.metadata = metadata
        self.missing = tuple(missing)
        self.keep_rare, self.drop_text = keep_rare, drop_text
        self.max_minutes, self.max_epochs = max_minutes, max_epochs
        self.hidden_size, self.num_layers = hidden_size, num_layers
        self.seed = seed
        self.too_little_: list[str] = []

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
        pseudonyms = Pseudonyms(self.seed)
        for name, told in self.metadata.tables.items():
            if name in read and told.schema is None:
                keys = set(self.metadata.keys_of(name)) | {told.order_by}
                read[name] = with_people_renamed(read[name], keys=keys, pseudonyms=pseudonyms)
        parts = take_apart(self.metadata, read, keep_rare=self.keep_rare, drop_text=self.drop_text)
        sizes = {
            name: (part.cells.num_rows + _LEAST_ROWS) * part.cells.num_columns
            for name, part in parts.items()
            if not part.is_inlaid
        }
        folder = None if checkpoint_dir is None else Path(checkpoint_dir)
        models: dict[str, TableModel] = {}
        self.too_little_ = []
        for index, (name, part) in enumerate(parts.items()):
            if part.is_inlaid:
                models[name] = TableModel.of(part)
                continue
            minutes = None
            if self.max_minutes is not None:
                left = self.max_minutes - (time.perf_counter() - started) / 60
                waiting = sum(size for other, size in sizes.items() if other not in models)
                minutes = max(left * sizes[name] / max(waiting, 1), 0.01)
            learned = self._synthesizer(minutes)
            models[name] = TableModel.fit(
                part,
                models,
                learned,
                checkpoint_dir=folder and folder / name_of_folder(index),
                progress=part_of(progress, index, len(parts)),
            )
            if learned.training_.trained != "enough":
                self.too_little_.append(name)
        self.models_ = models
        self.fit_seconds_ = time.perf_counter() - started
        return self

    def _synthesizer(self, minutes: float | None) -> Synthesizer:
        return Synthesizer(
            # Texts were refused or dropped, and categories stay such: other parts refer to them.
            drop_text=True,
            personal_data="keep",
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
        writing = SetWriter(self.metadata, models, settings, deadline, scale, progress)
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
        models, folder, owner = self._fitted(), Path(folder), OwnerFolder.of(folder)
        tables = []
        for index, model in enumerate(models.values()):
            name = name_of_folder(index)
            tables.append(model.save(folder / name, owner.part(name)))
        bare = {
            name: SetTable(primary_key=t.primary_key, order_by=t.order_by)
            for name, t in self.metadata.tables.items()
        }
        joined = MetadataSet(tables=bare, foreign_keys=self.metadata.foreign_keys)
        RELATED.write(folder, {"set": json.loads(joined.to_json()), "tables": tables})
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a synthesizer that `save` wrote.

        Raises:
            BundleError: the folder holds none, or a broken one.
        """
        with RELATED.reading(Path(folder)) as data:
            metadata = MetadataSet.from_json(json.dumps(data["set"]))
            models = {}
            for index, entry in enumerate(data["tables"]):
                links = metadata.links_of(str(entry["name"]))
                part = name_of_folder(index)
                own, owner = Path(folder) / part, OwnerFolder.of(folder).part(part)
                models[str(entry["name"])] = TableModel.load(own, owner, entry, links)
        self = cls(metadata)
        self.models_ = models
        return self


def name_of_folder(index: int) -> str:
    """Folder of a table's bundle; table names may hold what no folder can."""
    return f"table-{index}"
