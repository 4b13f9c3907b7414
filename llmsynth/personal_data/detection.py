"""Which columns of a table hold personal data, of which kind and why; and what was left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.errors import SettingsError
from llmsynth.personal_data.headings import Heading
from llmsynth.personal_data.kinds import Kind, declared_kind
from llmsynth.personal_data.recognizers import RECOGNIZERS, Cells, Evidence

_MOST_CELLS = 1_000
_MOST_ROWS = 50_000
FEWEST_LEVELS = 10
"""Different cells below which a column is no list of people: "White" and "Black" are names, too."""

LEARNED_AS_THEY_ARE: frozenset[Kind] = frozenset({"birth date"})
"""Kinds that a fit learns as any quantity: no day is a person's, and ages follow from days."""


@dataclass(frozen=True, kw_only=True)
class PersonalColumn:
    """A column that holds personal data."""

    name: str
    kind: Kind
    share: float
    """Of its different cells (a sample of them), how many look like the kind."""
    why: str = ""
    """What told it, in words."""


@dataclass(frozen=True, kw_only=True)
class LeftColumn:
    """A column that looks personal and is left as it is."""

    name: str
    kind: Kind
    why: str
    """Why it is left, in words."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The columns of a table that hold personal data, and those that only look like it."""

    found: tuple[PersonalColumn, ...]
    left: tuple[LeftColumn, ...]


def detect(
    table: pa.Table, *, texts: Sequence[str] = (), declared: Mapping[str, str] | None = None
) -> tuple[PersonalColumn, ...]:
    """Columns that hold names, e-mail addresses, phone numbers, addresses, ids of people, ...

    See `examine`, which tells what was left, too.
    """
    return examine(table, texts=texts, declared=declared).found


def examine(
    table: pa.Table, *, texts: Sequence[str] = (), declared: Mapping[str, str] | None = None
) -> Findings:
    """What looks personal in a table, found or left.

    A column counts where enough of its different cells have the form of a kind, or a heading says
    so over cells that do not contradict it; see `recognizers`. One of fewer than ten different
    cells is a category. No model and no network is asked.

    Args:
        texts: free-text columns, which are no lists of people.
        declared: column to kind, or to "none" where it holds nothing personal; goes before what
            would be found.

    Raises:
        SchemaError: a declared kind that is none.
        SettingsError: a declared column that the table lacks.
    """
    said = {name: declared_kind(name, kind) for name, kind in (declared or {}).items()}
    if unknown := [name for name in said if name not in table.column_names]:
        names = ", ".join(map(repr, table.column_names))
        raise SettingsError(
            f"{unknown[0]!r} is declared personal or not, and no column; there are {names}."
        )
    found, left = [], []
    for name, cells in zip(table.column_names, table.itercolumns(), strict=True):
        if name in said:
            if (kind := said[name]) is not None:
                found.append(PersonalColumn(name=name, kind=kind, share=1.0, why="declared"))
        elif name not in texts:
            seen = _examined(name, cells)
            found += [seen] if isinstance(seen, PersonalColumn) else []
            left += [seen] if isinstance(seen, LeftColumn) else []
    return Findings(found=tuple(found), left=tuple(left))


def personal_kind(name: str, cells: pa.ChunkedArray) -> PersonalColumn | None:
    """Whether one column is personal, which kind, and why; whatever its kind in a schema is."""
    seen = _examined(name, cells)
    return seen if isinstance(seen, PersonalColumn) else None


def _examined(name: str, cells: pa.ChunkedArray) -> PersonalColumn | LeftColumn | None:
    kind = cells.type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not (is_text or pa.types.is_integer(kind) or pa.types.is_date(kind)):
        return None
    if len(cells) > _MOST_ROWS:
        cells = cells.take(pa.array(range(0, len(cells), len(cells) // _MOST_ROWS)))
    distinct = pc.unique(cells.drop_null()).cast(pa.string())
    step = max(1, len(distinct) // _MOST_CELLS)
    sample = [text for text in distinct.to_pylist()[::step] if text.strip()]
    if not sample:
        return None
    seen = Cells(texts=sample, is_number=pa.types.is_integer(kind))
    evidence = _evidence(Heading(name), seen, is_date=pa.types.is_date(kind))
    if evidence is None:
        return None
    if len({text.strip().casefold() for text in sample}) < FEWEST_LEVELS:
        why = f"fewer than {FEWEST_LEVELS} different cells"
        return LeftColumn(name=name, kind=evidence.kind, why=why)
    return PersonalColumn(name=name, kind=evidence.kind, share=evidence.share, why=evidence.why)


def _evidence(heading: Heading, cells: Cells, *, is_date: bool) -> Evidence | None:
    for recognizer in RECOGNIZERS:
        if is_date and recognizer.kind != "birth date":
            continue
        if evidence := recognizer.evidence(heading, cells):
            return evidence
    return None
