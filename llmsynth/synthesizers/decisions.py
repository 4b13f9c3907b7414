"""What a fit decided about each column, before it learns: value objects for people and programs.

Whoever knows something else about a column (how a number is spelled, how a file was read) hands it
over as a note; notes stand behind the decision they belong to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from llmsynth.generation.identifiers import IdentifierMaker
from llmsynth.generation.people import with_invented_people
from llmsynth.schema.columns import CategoryColumn, Column, IdentifierColumn, TextColumn
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.preparation import Prepared
from llmsynth.tables.cells import format_cells

MUCH = 0.2
"""Share of a column's cells from which on what is lost is said first."""
_KEEP_RARE = "--keep-rare"
_DROP_TEXT = "--drop-text"
_IN_SCHEMA = "kind in --schema"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What will happen to one column.

    Attributes:
        column: its name.
        kind: as in the schema, `name`, `email` or `address` for people that are made up.
        example: a cell of the table as it came.
        written: how a cell like it is written; empty where that is made anew.
        treatment: what the fit does with it, in a few words.
        reason: why.
        option: the one option that changes it; empty where there is none.
        lost: share of its cells that are held back, cut or emptied.
        notes: what others have to say about the column.
    """

    column: str
    kind: str
    example: str
    written: str
    treatment: str
    reason: str
    option: str = ""
    lost: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether the column is learned as it is, and nothing has to be said."""
        return self.treatment == "learned" and self.example == self.written and not self.notes

    def to_json(self) -> dict[str, object]:
        """The decision without any cell of the table."""
        return {
            "kind": self.kind,
            "treatment": self.treatment,
            "reason": self.reason,
            "option": self.option,
            "lost": round(self.lost, 4),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """All columns in table order, and what has to be said first."""

    columns: tuple[Decision, ...]
    warnings: tuple[str, ...] = ()

    def with_notes(self, notes: Mapping[str, Sequence[str]]) -> Decisions:
        """The same with more notes, by column."""
        columns = tuple(
            replace(own, notes=(*own.notes, *notes.get(own.column, ()))) for own in self.columns
        )
        return replace(self, columns=columns)

    def to_json(self) -> dict[str, object]:
        """Decisions by column, and warnings; no cell of the table."""
        return {
            "warnings": list(self.warnings),
            "columns": {own.column: own.to_json() for own in self.columns},
        }


def decisions(
    table: pa.Table, prepared: Prepared, *, personal: Mapping[str, object] | None = None
) -> Decisions:
    """What was decided about each column of a table as it came.

    Args:
        table: as it was read.
        prepared: as it will be learned.
        personal: the record of personal data, as `without_personal_data` gives it.
    """
    replaced = (personal or {}).get("replaced")
    found = _Found(
        prepared=prepared,
        rows=max(table.num_rows, 1),
        pseudonyms=frozenset(replaced) if isinstance(replaced, Mapping) else frozenset(),
    )
    made = tuple(_decision(name, table[name], found) for name in table.column_names)
    return Decisions(columns=made, warnings=tuple(_warnings(made)))


@dataclass(frozen=True, kw_only=True)
class _Found:
    prepared: Prepared
    rows: int
    pseudonyms: frozenset[str]
    schema: TableSchema = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "schema", self.prepared.language.schema)


def _decision(name: str, cells: pa.ChunkedArray, found: _Found) -> Decision:
    raw = _example(cells)
    if name in found.prepared.dropped_text:
        return Decision(
            column=name,
            kind="text",
            example=raw,
            written="",
            treatment="left out",
            reason="it is text, and --drop-text leaves texts out",
            option="without --drop-text it is spelled",
            lost=1.0,
        )
    column = found.schema.column(name)
    match column:
        case IdentifierColumn():
            return _identifier(column, raw)
        case TextColumn() if column.invented:
            return _person(column, raw, found)
        case TextColumn():
            return _text(column, raw, found)
    return _learned(column, raw, found)


def _identifier(column: IdentifierColumn, raw: str) -> Decision:
    made = IdentifierMaker(column, 0).make(0, 1)
    return Decision(
        column=column.name,
        kind=column.kind,
        example=raw,
        written=str(made.cast(pa.string())[0].as_py()),
        treatment=f"re-invented in the pattern {column.pattern}",
        reason="every row has another one, and its name or its even spread says it names rows",
        option=_IN_SCHEMA,
    )


def _person(column: TextColumn, raw: str, found: _Found) -> Decision:
    forms = found.prepared.protected.table[column.name].drop_null()[:1]
    shown = pa.table({column.name: forms})
    only = TableSchema(columns=(column,))
    written = with_invented_people(shown, only, seed=0, first_row=0)[column.name].to_pylist()
    return Decision(
        column=column.name,
        kind=column.invented,
        example=raw,
        written=written[0] if written else "",
        treatment="re-invented: people made up for every row, in a form that goes with it",
        reason=f"its cells are data of people ({column.invented})",
        option="--personal-data keep",
    )


def _text(column: TextColumn, raw: str, found: _Found) -> Decision:
    texts = found.prepared.texts
    own = texts.spelled.get(column.name) if texts is not None else None
    if texts is None or own is None:
        return Decision(
            column=column.name,
            kind=column.kind,
            example=raw,
            written="",
            treatment="written by the language model",
            reason="it is text, and a language model was asked for",
            option=_DROP_TEXT,
        )
    emptied = texts.opened.get(column.name, 0)
    present = max(found.rows - own.missing_cells, 1)
    lost = (own.cut_cells + int(own.left_out.sum())) / present
    parts = ["text in pieces"]
    if own.common_cells:
        parts.append(
            f"{_percent(own.common_cells / present)} of cells whole, as five rows share them"
        )
    if own.cut_cells:
        parts.append(f"{_percent(own.cut_cells / present)} cut at {column.maximum_pieces} pieces")
    bare = int(own.left_out.sum())
    if respelled := own.respelled_cells - bare:
        parts.append(f"{_percent(respelled / present)} lose an accent or a rare character")
    if bare:
        parts.append(f"{_percent(bare / present)} not learned, made of rare characters")
    return Decision(
        column=column.name,
        kind=column.kind,
        example=raw,
        written="",
        treatment="; ".join(parts),
        reason=f"{emptied / present:.0%} of its cells hold categories of fewer than five rows, "
        "which protection would empty"
        if emptied
        else _why_text(column.name in found.pseudonyms),
        option="--model smollm2-135m" if lost > MUCH else _DROP_TEXT,
        lost=lost,
    )


def _why_text(is_pseudonym: bool) -> str:
    if is_pseudonym:
        return "it held data of people, whose pseudonyms are spelled"
    return "too many different texts for categories, and no number, day or key"


def _learned(column: Column, raw: str, found: _Found) -> Decision:
    protected = found.prepared.protected
    cells = protected.table[column.name]
    left_out = protected.left_out.get(column.name)
    lost = float(left_out.sum()) / found.rows if left_out is not None else 0.0
    clipped = protected.extremes.get(column.name, 0)
    parts = ["learned"]
    if column.name in found.pseudonyms:
        parts = ["pseudonyms learned"]
    if lost:
        levels = protected.categories.get(column.name)
        what = f" ({levels} rare categories)" if levels else ""
        parts.append(f"protected {_percent(lost)}{what}")
    if clipped:
        parts.append(f"{clipped} extreme cells brought inside the bounds")
    empty = isinstance(column, CategoryColumn) and not column.categories
    if empty:
        parts = ["empty in every row"]
    present = cells.drop_null()[:1]
    shown = raw
    if not lost and not clipped and len(present) and column.name not in found.pseudonyms:
        shown = str(format_cells(column, present.combine_chunks())[0].as_py())
    is_changed = bool(lost or clipped or empty)
    return Decision(
        column=column.name,
        kind=column.kind,
        example=raw,
        written="" if column.name in found.pseudonyms else shown,
        treatment="; ".join(parts),
        reason="values that fewer than five rows hold are not learned"
        if is_changed
        else "its cells say so",
        option=_KEEP_RARE if is_changed else "",
        lost=lost,
    )


def _warnings(made: Sequence[Decision]) -> list[str]:
    out = []
    for own in made:
        if own.lost <= MUCH or own.treatment == "left out":
            continue
        if own.kind == "text":
            out.append(
                f"{own.column}: long text. The compact model cuts or leaves out {own.lost:.0%} of "
                f"its cells and makes no prose of it; {own.option} learns it whole."
            )
        else:
            out.append(
                f"{own.column}: {own.lost:.0%} of its cells are held back, as fewer than five rows "
                f"share each value; {own.option} learns them as they are."
            )
    return out


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "under 1%"


def _example(cells: pa.ChunkedArray) -> str:
    present = cells.drop_null()[:1]
    if not len(present):
        return ""
    cell = present[0].as_py()
    return cell if isinstance(cell, str) else str(present.cast(pa.string())[0].as_py())
