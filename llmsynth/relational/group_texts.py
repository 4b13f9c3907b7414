"""Free text in rows of groups: written last, by a pretrained model, under its row's typed cells."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa

from llmsynth.bundle.owner import OwnerFolder
from llmsynth.errors import BundleError
from llmsynth.progress import Progress
from llmsynth.relational.group_layout import LaidOut
from llmsynth.relational.group_rows import BLANK, static_columns
from llmsynth.relational.row_drawer import DrawSettings, RowDrawer
from llmsynth.relational.written_rows import Written
from llmsynth.schema.columns import Column, IdentifierColumn, TextColumn
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.synthesizer import Synthesizer

_FOLDER, _FILE = "texts", "texts.json"
_SEED = 7919
"""Keeps the texts' random numbers apart from those of the rows."""


@dataclass(frozen=True, kw_only=True)
class GroupTexts:
    """The texts' model, and where the texts stand.

    names: all columns of the table in order, texts included.
    static: texts that are the same in all rows of a group.
    """

    synthesizer: Synthesizer
    names: tuple[str, ...]
    static: tuple[str, ...]

    @classmethod
    def fit(
        cls,
        layout: LaidOut,
        synthesizer: Synthesizer,
        *,
        checkpoint_dir: Path | None,
        progress: Progress,
    ) -> Self:
        """Learn the texts of a table under its typed cells."""
        heads = [c for c in layout.head_schema.columns if c.name in layout.kept.static]
        order = [] if layout.axis is None else [layout.axis.column]
        typed = [c for c in (*heads, *order) if not isinstance(c, IdentifierColumn)]
        changing = [c for c in layout.row_schema.columns if c.name != BLANK]
        columns = (*typed, *changing, *layout.texts)
        synthesizer.schema = TableSchema(columns=columns)
        synthesizer.fit(
            layout.rows.table.select([column.name for column in columns]),
            checkpoint_dir=checkpoint_dir,
            progress=progress,
            entities=layout.rows.group_of,
        )
        static = static_columns(layout.rows, [column.name for column in layout.texts])
        return cls(synthesizer=synthesizer, names=layout.all_names, static=static)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that hold texts."""
        return tuple(c for c in self.synthesizer.schema_.columns if isinstance(c, TextColumn))

    @property
    def memorization_guard(self) -> str | None:
        """See `SampleReport.memorization_guard`."""
        return self.synthesizer.learner_.memorization_guard

    def beside(
        self, table: pa.Table, written: Written, settings: DrawSettings, deadline: float | None
    ) -> pa.Table:
        """Rows with their texts in table order; rows without any are left out, and counted.

        Args:
            table: all columns but the texts, of the rows that were written.
        """
        drawer = RowDrawer(self.synthesizer, settings, {}, deadline)
        texts = {column.name for column in self.columns}
        typed = [n for n in self.synthesizer.schema_.names if n not in texts]
        drawn, came = drawer.draw(table.select(typed), None, _SEED)
        table = table.filter(pa.array(came))
        columns = {n: drawn[n] if n in texts else table[n] for n in self.names}
        lost = len(np.unique(written.groups[~came]))
        written.groups = written.groups[came]
        if lost:
            written.unfinished["texts not written"] = lost
        if drawer.stopped != "complete":
            written.stopped = drawer.stopped
        _, first, group_of = np.unique(written.groups, return_index=True, return_inverse=True)
        for name in self.static:
            columns[name] = columns[name].take(pa.array(first[group_of]))
        return pa.table(columns)

    def save(self, folder: Path, owner: OwnerFolder) -> None:
        """Write the texts' bundle and where they stand."""
        self.synthesizer.save(folder / _FOLDER, owner=owner.part(_FOLDER))
        data = {"names": list(self.names), "static": list(self.static)}
        (folder / _FOLDER / _FILE).write_text(json.dumps(data) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, owner: OwnerFolder) -> Self | None:
        """What `save` wrote; None where it wrote nothing.

        Raises:
            BundleError: it is broken.
        """
        path = folder / _FOLDER / _FILE
        if not path.is_file():
            return None
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            names, static = tuple(map(str, data["names"])), tuple(map(str, data["static"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BundleError(f"{path} cannot be read: {error}.") from error
        texts = Synthesizer.load(folder / _FOLDER, owner=owner.part(_FOLDER))
        return cls(synthesizer=texts, names=names, static=static)
