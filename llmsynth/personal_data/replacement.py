"""A table with its personal data replaced: same person, same pseudonym, also inside free text."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.errors import SettingsError
from llmsynth.personal_data.detection import LEARNED_AS_THEY_ARE, LeftColumn, detect, examine
from llmsynth.personal_data.kinds import LOW_TITLES, Kind
from llmsynth.personal_data.name_lists import NAME_WORD, Sex, fold, sex_of_given_name
from llmsynth.personal_data.name_shapes import PARTICLES
from llmsynth.personal_data.pseudonyms import Pseudonyms, is_of_signs
from llmsynth.personal_data.sexes import sex_by_pronouns, sex_by_title, sex_column
from llmsynth.personal_data.text_spans import TextReplacer
from llmsynth.schema.columns import TextColumn
from llmsynth.schema.inference import infer_schema
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.pandas_frames import to_pandas
from llmsynth.tables.reading import read_table

if TYPE_CHECKING:
    from llmsynth.tables.reading import TableSource


@dataclass(frozen=True, kw_only=True)
class ReplacedColumn:
    """What was replaced in one column."""

    name: str
    kind: str
    """The kind of the column's cells, or `text`."""
    cells: int
    """Cells that changed."""
    values: int
    """Different values that were replaced; of a text, spans."""
    spans: Mapping[str, int] = field(default_factory=dict)
    """Of a text: replaced spans by kind."""

    def to_json(self) -> dict[str, object]:
        """The counts, never a value."""
        out: dict[str, object] = {"kind": self.kind, "cells": self.cells, "values": self.values}
        return out | ({"spans": dict(self.spans)} if self.spans else {})


@dataclass(frozen=True, kw_only=True)
class Pseudonymized:
    """A table without the personal data that was found, and an account of it."""

    table: pa.Table
    columns: tuple[ReplacedColumn, ...]
    pseudonyms: Pseudonyms
    """Give them to the next table, so that a person keeps the pseudonym there."""
    left: tuple[LeftColumn, ...] = ()
    """Columns that look personal and were left, and why."""

    @property
    def words(self) -> str:
        """What was replaced, in one line."""
        told = [
            f"{c.name} ({c.kind}: {c.values:,} different, {c.cells:,} cells)"
            if not c.spans
            else f"{c.name} (text: {', '.join(f'{n:,} {kind}' for kind, n in c.spans.items())})"
            for c in self.columns
        ]
        return ", ".join(told) or "nothing"

    def to_json(self) -> dict[str, object]:
        """The counts by column."""
        return {column.name: column.to_json() for column in self.columns}

    def to_pandas(self) -> pd.DataFrame:
        """The table as a DataFrame; see `llmsynth.tables.to_pandas`."""
        return to_pandas(self.table)


def pseudonymize(
    table: TableSource,
    *,
    columns: Mapping[str, Kind] | None = None,
    declared: Mapping[str, str] | None = None,
    texts: Sequence[str] | None = None,
    pseudonyms: Pseudonyms | None = None,
    missing: Sequence[str] = (),
    seed: int | None = None,
) -> Pseudonymized:
    """Replace names, e-mail addresses, phone numbers, addresses and ids of people, consistently.

    What columns hold is told by patterns and name lists, offline (`detection.detect`). Inside free
    text, patterns tell e-mail addresses, phone numbers, cards, IBANs, record numbers and streets;
    names are told by a title, by a given name before a family name, and by the row's own name
    columns. A name in a text that nothing gives away stays: this is no anonymisation, and what
    remains may still tell who it is about.

    Args:
        columns: column to kind, instead of what would be found.
        declared: column to kind, or to "none", beside what is found in the others.
        texts: columns to search for personal data; free-text columns when omitted.
        pseudonyms: of an earlier table, so that the same person is replaced alike.
        missing: cell texts that mean "missing" in a CSV file, besides the empty cell.
        seed: makes the replacements repeatable, for whoever knows it.

    Raises:
        SettingsError: a column that is none.
        TableError: the table cannot be read.
    """
    source = read_table(table, missing=missing)
    if texts is None:
        schema = infer_schema(source) if source.num_rows else None
        free = schema.columns if schema is not None else ()
        texts = [c.name for c in free if isinstance(c, TextColumn)]
    left: tuple[LeftColumn, ...] = ()
    if columns is None:
        seen = examine(source, declared=declared)
        left = seen.left
        columns = {column.name: column.kind for column in seen.found}
    for name in (*columns, *texts):
        if name not in source.column_names:
            names = ", ".join(map(repr, source.column_names))
            raise SettingsError(f"No column {name!r}; there are {names}.")
    texts = [name for name in texts if name not in columns]
    done = replaced(source, columns, texts, pseudonyms or Pseudonyms(seed))
    return replace(done, left=left)


def declared_personal(schema: TableSchema | None, names: Collection[str]) -> dict[str, str]:
    """What a schema declares personal or not, of the columns that a table has."""
    columns = schema.columns if schema is not None else ()
    return {c.name: c.personal for c in columns if c.personal and c.name in names}


def with_people_renamed(
    table: pa.Table,
    *,
    keys: Collection[str | None],
    declared: Mapping[str, str] | None = None,
    in_texts: bool = False,
    pseudonyms: Pseudonyms | None = None,
    seed: int | None = None,
) -> pa.Table:
    """The table with the personal data of its columns replaced, but for its keys.

    Args:
        declared: column to kind, or to "none", before what is found.
        in_texts: inside free text, too.
    """
    kinds = {
        found.name: found.kind
        for found in detect(table, declared=declared)
        if found.name not in keys and found.kind not in LEARNED_AS_THEY_ARE
    }
    texts: list[str] = []
    if in_texts:
        free = [c.name for c in infer_schema(table).columns if isinstance(c, TextColumn)]
        texts = [name for name in free if name not in kinds and name not in keys]
    return replaced(table, kinds, texts, pseudonyms or Pseudonyms(seed)).table


def replaced(
    table: pa.Table, columns: Mapping[str, Kind], texts: Sequence[str], pseudonyms: Pseudonyms
) -> Pseudonymized:
    """Replace the cells of some columns, and spans in others; see `pseudonymize`."""
    names = {name: table[name].to_pylist() for name, kind in columns.items() if kind == "name"}
    others = {
        name: (kind, table[name].cast(pa.string()).to_pylist())
        for name, kind in columns.items()
        if kind != "name"
    }
    sexes = _sexes(table, names, texts)
    for name, kind in columns.items():
        pseudonyms.meet(kind, pc.unique(table[name].drop_null()).cast(pa.string()).to_pylist())
    account = []
    new = table
    for name, kind in sorted(columns.items(), key=lambda item: item[1] != "name"):
        cells, counted = _column(table[name], name, kind, pseudonyms, sexes)
        new = new.set_column(new.column_names.index(name), name, cells)
        account.append(counted)
    known = {word for cells in names.values() for cell in cells for word in _words(cell)}
    for name in texts:
        replacer = TextReplacer(pseudonyms, known)
        cells = table[name].to_pylist()
        out = [
            None
            if text is None
            else replacer(text, *_told_by_row(row, names, others), sex=sexes[row])
            for row, text in enumerate(cells)
        ]
        if changed := sum(a != b for a, b in zip(cells, out, strict=True)):
            column = pa.array(out, pa.string())
            new = new.set_column(new.column_names.index(name), name, column)
            account.append(
                ReplacedColumn(
                    name=name,
                    kind="text",
                    cells=changed,
                    values=sum(replacer.counts.values()),
                    spans=dict(replacer.counts),
                )
            )
    return Pseudonymized(table=new, columns=tuple(account), pseudonyms=pseudonyms)


def _sexes(
    table: pa.Table, names: Mapping[str, Sequence[str | None]], texts: Sequence[str]
) -> list[Sex | None]:
    """What each row tells of its person's sex: a column, a title, or the pronouns of its texts."""
    told = sex_column(table) or [None] * table.num_rows
    if not names:
        return told
    written = [table[name].to_pylist() for name in texts]
    for row, sex in enumerate(told):
        if sex is not None:
            continue
        titled = (sex_by_title(cell) for cells in names.values() if (cell := cells[row]))
        # A name that has one sex everywhere says more than who else a text is about.
        named = (sex_of_given_name(word) for cells in names.values() for word in _words(cells[row]))
        spoken = (sex_by_pronouns(cell) for cells in written if (cell := cells[row]))
        told[row] = next((own for own in chain(titled, named, spoken) if own), None)
    return told


def _column(
    cells: pa.ChunkedArray,
    name: str,
    kind: Kind,
    pseudonyms: Pseudonyms,
    sexes: Sequence[Sex | None],
) -> tuple[pa.Array, ReplacedColumn]:
    texts = cells.cast(pa.string()).to_pylist()
    by_sex = sexes if kind == "name" else [None] * len(texts)
    # One look-up for each different pair of a text and a sex.
    made = {
        (text, sex): pseudonyms.of(kind, text, sex=sex)
        for text, sex in dict.fromkeys(zip(texts, by_sex, strict=True))
        if text is not None
    }
    out = pa.array([made.get(pair) for pair in zip(texts, by_sex, strict=True)], pa.string())
    if not pa.types.is_string(cells.type):
        out = _as_before(out, cells.type)
    count = len(texts) - cells.null_count
    different = len({text for text, _ in made})
    return out, ReplacedColumn(name=name, kind=kind, cells=count, values=different)


def _as_before(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """The column's own type; a wider one where keys had to grow by a digit."""
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:
        return texts.cast(pa.int64()) if pa.types.is_integer(kind) else texts


def _told_by_row(
    row: int,
    names: Mapping[str, Sequence[str | None]],
    others: Mapping[str, tuple[Kind, Sequence[str | None]]],
) -> tuple[set[str], dict[str, Kind]]:
    """Words of the row's names, and its other personal cells."""
    words = {word for cells in names.values() for word in _words(cells[row])}
    held: dict[str, Kind] = {
        text: kind for kind, own in others.values() if (text := own[row]) is not None
    }
    # Without blanks between words a name is found only as a whole.
    for cells in names.values():
        if (cell := cells[row]) and is_of_signs(cell):
            held[cell] = "name"
    return words, held


def _words(cell: str | None) -> list[str]:
    words = [] if cell is None else [fold(word) for word in NAME_WORD.findall(cell)]
    return [word for word in words if word not in LOW_TITLES and word not in PARTICLES]
