"""What kind each column is, decided from noisy votes of its cells: schema without looking."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.errors import TableError
from llmsynth.privacy.noisy_counts import NoisyCounts
from llmsynth.schema.clock_texts import DAY_FORMATS, parse_moments
from llmsynth.schema.columns import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    DatetimeColumn,
    NumberColumn,
)
from llmsynth.schema.number_texts import WHOLE
from llmsynth.schema.storage import is_supported, plain
from llmsynth.schema.table_schema import TableSchema

_MOST_DECIMALS = 6
_MOMENT_FORMATS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S")
_OTHER_TEXT = 0
_FIRST_DECIMALS = 1
_FIRST_DAY = _FIRST_DECIMALS + _MOST_DECIMALS + 1
_FIRST_MOMENT = _FIRST_DAY + len(DAY_FORMATS)
_NUM_VOTES = _FIRST_MOMENT + len(_MOMENT_FORMATS)
_TEXT_SHARE = 0.02
"""Share of the votes from which a column with other cells, too, is taken for text."""


def needs_votes(kind: pa.DataType) -> bool:
    """Whether cells of this Arrow type leave open what the column holds."""
    return bool(pa.types.is_string(kind) or pa.types.is_floating(kind))


def blank_schema(table: pa.Table) -> TableSchema:
    """The columns as their Arrow types alone tell them: no value, no bound; text where open.

    Raises:
        TableError: a column of a type that cannot be learned.
    """
    return TableSchema(columns=tuple(_blank(field) for field in _plain_fields(table)))


def _plain_fields(table: pa.Table) -> list[tuple[str, pa.DataType]]:
    return [
        (name, plain(cells.slice(0, 0)).type)
        for name, cells in zip(table.column_names, table.itercolumns(), strict=True)
    ]


def _blank(field: tuple[str, pa.DataType]) -> Column:
    name, kind = field
    if not is_supported(kind):
        raise TableError(
            f"Column {name!r} has the type {kind}, which cannot be learned.",
            hint="Turn it into text, numbers, dates or booleans first, or leave it out.",
        )
    storage = str(kind)
    if pa.types.is_boolean(kind):
        return BooleanColumn(name=name)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return NumberColumn(name=name, storage=storage)
    if pa.types.is_decimal(kind):
        return NumberColumn(name=name, storage=storage, scale=kind.scale, fixed_scale=True)
    if pa.types.is_date(kind):
        return DateColumn(name=name, storage=storage)
    if pa.types.is_timestamp(kind):
        pattern = f"%Y-%m-%dT%H:%M:%S{'%z' if kind.tz else ''}"
        return DatetimeColumn(name=name, storage=storage, format=pattern)
    return CategoryColumn(name=name)


def voted(column: Column, cells: pa.ChunkedArray, counts: NoisyCounts) -> Column:
    """The column's kind by the noisy votes of its cells."""
    texts = plain(cells).combine_chunks().cast(pa.string())
    noisy = counts.closed(_votes(texts), _NUM_VOTES)
    used = noisy > counts.cell_threshold(_NUM_VOTES)
    total = max(float(noisy.clip(min=0).sum()), 1.0)
    if isinstance(column, NumberColumn):
        return replace(column, scale=_scale(used)[0])
    families = {
        "number": float(noisy[_FIRST_DECIMALS:_FIRST_DAY].clip(min=0).sum()),
        **{str(i): float(noisy[i]) for i in range(_FIRST_DAY, _NUM_VOTES)},
    }
    best = max(families, key=families.__getitem__)
    is_text = noisy[_OTHER_TEXT] > _TEXT_SHARE * total and used[_OTHER_TEXT]
    if is_text or not used.any():
        return column
    if best != "number":
        index = int(best)
        if index < _FIRST_MOMENT:
            return DateColumn(name=column.name, format=DAY_FORMATS[index - _FIRST_DAY])
        return DatetimeColumn(name=column.name, format=_MOMENT_FORMATS[index - _FIRST_MOMENT])
    scale, is_fixed = _scale(used)
    storage = "double" if scale else "int64"
    return NumberColumn(name=column.name, storage=storage, scale=scale, fixed_scale=is_fixed)


def _scale(used: npt.NDArray[np.bool_]) -> tuple[int, bool]:
    """Most decimals that enough cells have, and whether all of them have as many."""
    decimals = np.flatnonzero(used[_FIRST_DECIMALS:_FIRST_DAY])
    scale = int(decimals.max(initial=0))
    return scale, scale > 0 and len(decimals) == 1


def _votes(texts: pa.Array) -> npt.NDArray[np.int64]:
    """What each cell looks like: int64 (cells,), -1 where missing."""
    votes = np.full(len(texts), _OTHER_TEXT, dtype=np.int64)
    for place, pattern in reversed(list(enumerate((*DAY_FORMATS, *_MOMENT_FORMATS)))):
        votes[_valid(parse_moments(texts, pattern))] = _FIRST_DAY + place
    for decimals in range(_MOST_DECIMALS, 0, -1):
        pattern = rf"^-?[0-9]{{1,15}}\.[0-9]{{{decimals}}}$"
        votes[_matches(texts, pattern)] = _FIRST_DECIMALS + decimals
    # A float of whole value is spelled with one zero; one of very many digits has them all cut.
    votes[_matches(texts, WHOLE) | _matches(texts, r"^-?[0-9]{1,15}\.0$")] = _FIRST_DECIMALS
    long = rf"^-?[0-9]{{1,15}}\.[0-9]{{{_MOST_DECIMALS + 1},}}$"
    votes[_matches(texts, long) | _matches(texts, r"^-?[0-9.]+e-?[0-9]+$")] = (
        _FIRST_DECIMALS + _MOST_DECIMALS
    )
    votes[~_valid(texts)] = -1
    return votes


def _matches(texts: pa.Array, pattern: str) -> npt.NDArray[np.bool_]:
    found = pc.fill_null(pc.match_substring_regex(texts, pattern), False)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _valid(cells: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(cells.is_valid().to_numpy(zero_copy_only=False), dtype=np.bool_)
