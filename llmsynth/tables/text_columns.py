"""What becomes of columns of raw texts: names made whole, blanks and row numbers taken off.

Evidence is gathered table by table, so that a file read in pieces comes out as one read whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.tables.reading_notes import ReadingNote, listed
from llmsynth.tables.reading_settings import ReadingSettings

_BLANKS = " \t\u00a0"
_AMOUNT = r"^[^\p{L}]*[0-9][^\p{L}]*$"
_MOSTLY = 0.9
_UNNAMED = re.compile(r"Unnamed: \d+")


@dataclass(kw_only=True)
class _Texts:
    """What is known of the texts of one column so far."""

    rows: int = 0
    held: int = 0
    padded: int = 0
    empty: int = 0
    blank: int = 0
    leading: int = 0
    trailing: int = 0
    amounts: int = 0
    lengths: set[int] = field(default_factory=set)
    counts_from: set[int] = field(default_factory=lambda: {0, 1})

    def add(self, cells: pa.ChunkedArray, *, may_count: bool) -> None:
        """Count cells, those with blanks at an end, and rows if the cells may be their numbers."""
        if may_count and self.counts_from:
            self._count(cells)
        self.rows += len(cells)
        self.held += len(cells) - cells.null_count
        self.padded += _true(pc.not_equal(pc.utf8_trim(cells, _BLANKS), cells))

    def examine(self, cells: pa.ChunkedArray) -> None:
        """Count what tells whether the blanks tell something."""
        bare = pc.utf8_trim(cells, _BLANKS)
        shifted = pc.utf8_ltrim(cells, _BLANKS)
        filled = pc.not_equal(bare, "")
        self.empty += _true(pc.equal(cells, ""))
        self.blank += _true(pc.and_(pc.equal(bare, ""), pc.not_equal(cells, "")))
        self.amounts += _true(pc.and_(filled, pc.match_substring_regex(bare, _AMOUNT)))
        self.leading += _true(pc.and_(filled, pc.not_equal(shifted, cells)))
        self.trailing += _true(pc.and_(filled, pc.not_equal(bare, shifted)))
        if len(self.lengths) < 2:
            lengths = pc.if_else(filled, pc.utf8_length(shifted), pa.scalar(None, pa.int32()))
            self.lengths.update(pc.unique(lengths).drop_null().slice(0, 2).to_pylist())

    @property
    def filled(self) -> int:
        return self.held - self.blank - self.empty

    @property
    def lengths_agree(self) -> bool:
        return len(self.lengths) == 1

    def _count(self, cells: pa.ChunkedArray) -> None:
        for first in tuple(self.counts_from):
            begin = self.rows + first
            wanted = pa.array(range(begin, begin + len(cells)), pa.int64()).cast(pa.string())
            if not pc.all(pc.fill_null(pc.equal(cells, wanted), False)).as_py():
                self.counts_from.discard(first)


def _true(mask: pa.ChunkedArray) -> int:
    return int(pc.sum(mask).as_py() or 0)


@dataclass(frozen=True, kw_only=True)
class ColumnPlan:
    """What is done to each column of a raw table, and the notes that say so."""

    kept: tuple[int, ...]
    names: tuple[str, ...]
    trims: tuple[str, ...]
    """For each kept column: `both`, `left`, `right` or nothing."""
    notes: tuple[ReadingNote, ...]

    def apply(self, table: pa.Table) -> pa.Table:
        """The columns that are kept, without the blanks that tell nothing, under their names."""
        columns = [
            _trimmed(table.column(at), trim) for at, trim in zip(self.kept, self.trims, strict=True)
        ]
        return pa.table(columns, names=list(self.names))


class TextEvidence:
    """What the tables of one file tell of its columns."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = [name.strip(_BLANKS) for name in names]
        self._padded_names = any(
            given != name for given, name in zip(names, self.names, strict=True)
        )
        self._columns = [_Texts() for _ in names]

    def add(self, table: pa.Table) -> None:
        """Take in the columns of one more table, in order."""
        for at, (known, cells) in enumerate(zip(self._columns, table.itercolumns(), strict=True)):
            known.add(cells, may_count=at == 0 and self._is_unnamed(0))

    @property
    def has_blanks(self) -> bool:
        """Whether some cell begins or ends with blanks, so that the tables have to be examined."""
        return any(known.padded for known in self._columns)

    def examine(self, table: pa.Table) -> None:
        """Look closer at the columns with blanks, once all tables are added."""
        for known, cells in zip(self._columns, table.itercolumns(), strict=True):
            if known.padded:
                known.examine(cells)

    def plan(self, settings: ReadingSettings) -> ColumnPlan:
        """What to do with the columns."""
        kept, notes = self._kept(settings)
        names, named = _whole_names(self.names, kept)
        trims, trimmed = self._trims(kept, names, settings)
        return ColumnPlan(
            kept=tuple(kept),
            names=tuple(names),
            trims=tuple(trims),
            notes=(*notes, *named, *trimmed),
        )

    def _is_unnamed(self, at: int) -> bool:
        return not self.names[at] or _UNNAMED.fullmatch(self.names[at]) is not None

    def _kept(self, settings: ReadingSettings) -> tuple[list[int], list[ReadingNote]]:
        notes = []
        everything = list(range(len(self.names)))
        empty = [at for at in everything if not self.names[at] and not self._columns[at].filled]
        if empty and len(empty) < len(everything):
            places = ", ".join(str(at + 1) for at in empty[:8]) + (", ..." if empty[8:] else "")
            notes.append(
                ReadingNote(
                    code="empty_columns",
                    text=f"{len(empty)} column(s) without a name and without a cell (number "
                    f"{places}) were left out.",
                    change="Name them in the file to keep them.",
                    count=len(empty),
                )
            )
            everything = [at for at in everything if at not in set(empty)]
        first = everything[0]
        counts = self._is_unnamed(first) and self._columns[first].counts_from
        if first == 0 and counts and len(everything) > 1 and self._columns[0].rows:
            start, name = min(counts), self.names[0]
            what = f"The first column, {name!r}," if name else "The first column, without a name,"
            choice = f"{what} counts the rows from {start}"
            if settings.keep_row_numbers:
                text, change = f"{choice} and was kept.", ""
            else:
                text, change = f"{choice} and was left out.", "Keep it with --keep-row-numbers."
                everything = everything[1:]
            notes.append(ReadingNote(code="row_numbers", text=text, change=change))
        return everything, notes

    def _trims(
        self, kept: Sequence[int], names: Sequence[str], settings: ReadingSettings
    ) -> tuple[list[str], list[ReadingNote]]:
        trims, notes = list[str](), list[ReadingNote]()
        touched = list[str]()
        for at, name in zip(kept, names, strict=True):
            known = self._columns[at]
            trim = _trim(known) if settings.strip_blanks is None else ""
            if settings.strip_blanks and known.padded:
                trim = "both"
            trims.append(trim)
            if trim:
                touched.append(name)
            if trim and known.blank:
                notes.append(
                    ReadingNote(
                        code="blank_cells",
                        text=f"Column {name!r}: {known.blank:,} cells of nothing but blanks are "
                        "missing.",
                        change="Keep them with --keep-blanks.",
                        column=name,
                        count=known.blank,
                    )
                )
        if touched or self._padded_names:
            where = f"columns {listed(touched)}" if touched else "the header"
            notes.insert(
                0,
                ReadingNote(
                    code="blanks_stripped",
                    text=f"Blanks at the ends of cells were taken off in {where}: they tell "
                    "nothing there.",
                    change="Keep them with --keep-blanks.",
                    count=len(touched),
                ),
            )
        return trims, notes


def _trim(known: _Texts) -> str:
    if not known.padded or not known.filled:
        return ""
    if known.amounts >= _MOSTLY * known.filled:
        return "both"
    left = known.leading == known.filled
    right = known.trailing == known.filled or (known.trailing and known.lengths_agree)
    return {(True, True): "both", (True, False): "left", (False, True): "right"}.get(
        (bool(left), bool(right)), ""
    )


def _trimmed(cells: pa.ChunkedArray, trim: str) -> pa.ChunkedArray:
    if not trim:
        return cells
    take = {"both": pc.utf8_trim, "left": pc.utf8_ltrim, "right": pc.utf8_rtrim}[trim]
    bare = take(cells, _BLANKS)
    is_blank = pc.and_(pc.equal(pc.utf8_trim(cells, _BLANKS), ""), pc.not_equal(cells, ""))
    return pc.if_else(is_blank, pa.scalar(None, pa.string()), bare)


def _whole_names(given: Sequence[str], kept: Sequence[int]) -> tuple[list[str], list[ReadingNote]]:
    """A name of its own for every column."""
    taken = {given[at] for at in kept}
    used: set[str] = set()
    last: dict[str, int] = {}
    names, unnamed, renamed = [], [], []
    for at in kept:
        name = given[at]
        if not name:
            name = _free(f"column_{at + 1}", taken, last)
            unnamed.append(name)
        elif name in used:
            name = _free(name, taken, last)
            renamed.append(name)
        taken.add(name)
        used.add(name)
        names.append(name)
    notes = []
    if unnamed:
        notes.append(
            ReadingNote(
                code="unnamed_columns",
                text=f"{len(unnamed)} column(s) without a name are called {listed(unnamed)}.",
                change="Name them in the header to have other names.",
                count=len(unnamed),
            )
        )
    if renamed:
        notes.append(
            ReadingNote(
                code="repeated_names",
                text=f"{len(renamed)} column(s) had the name of an earlier one and are called "
                f"{listed(renamed)}.",
                change="Name them in the header to have other names.",
                count=len(renamed),
            )
        )
    return names, notes


def _free(name: str, taken: set[str], last: dict[str, int]) -> str:
    """The name with the next number behind it that nobody has; `last` makes it quick."""
    if name not in taken:
        return name
    number = last.get(name, 1) + 1
    while f"{name}_{number}" in taken:
        number += 1
    last[name] = number
    return f"{name}_{number}"
