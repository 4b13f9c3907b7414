"""Values a user fixes: checked against the schema and turned into a prefix of codes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from llmsynth.codec.row_language import RowLanguage
from llmsynth.errors import ConditionError, InputError
from llmsynth.schema.columns import CategoryColumn, Column, NumberColumn, TextColumn
from llmsynth.tables.conforming import conform

TO_DRAW = -2
"""Code of a place whose column is not given."""


class Conditions:
    """Given columns of a run: one value for all rows, or a value per row.

    Args:
        where: column to value; text is read as a CSV cell would be.
        given: a table of some columns, a row for each row to be made.

    Raises:
        ConditionError: a column or value the schema cannot hold.
    """

    def __init__(
        self,
        language: RowLanguage,
        *,
        where: Mapping[str, object] | None = None,
        given: pa.Table | None = None,
    ) -> None:
        self._language = language
        self._codes: dict[str, Tensor] = {}
        self.num_rows = given.num_rows if given is not None else None
        for name, value in (where or {}).items():
            self._add(name, single(name, value))
        if given is None:
            return
        for name, cells in zip(given.column_names, given.itercolumns(), strict=True):
            if name in self._codes:
                raise ConditionError(f"Column {name!r} is given twice: by where and by given.")
            self._add(name, cells)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the given columns, in table order."""
        return tuple(name for name in self._language.schema.names if name in self._codes)

    def codes(self, first_row: int, count: int) -> Tensor | None:
        """Codes of rows `first_row` on; int64 (count, places), TO_DRAW where not given."""
        if not self._codes:
            return None
        out = torch.full((count, len(self._language.place_sizes)), TO_DRAW, dtype=torch.int64)
        for index, name in enumerate(self._language.schema.names):
            if name in self._codes:
                own = self._codes[name]
                places = self._language.places(index)
                rows = own if len(own) == 1 else own[first_row : first_row + count]
                out[:, places.start : places.stop] = rows
        return out

    def _add(self, name: str, cells: pa.ChunkedArray) -> None:
        names = self._language.schema.names
        if name not in names:
            raise ConditionError(f"No column {name!r}; there are {', '.join(map(repr, names))}.")
        code = self._language.codes[names.index(name)]
        if not code.place_sizes:
            raise ConditionError(f"Column {name!r} is {code.column.kind}; it cannot be given.")
        if isinstance(code.column, TextColumn) and code.column.invented:
            raise ConditionError(
                f"Column {name!r} holds data of people ({code.column.invented}), which is made up "
                "for every row; it cannot be given.",
                hint="Fit with personal_data='keep' (--personal-data keep) to learn it as it is.",
            )
        single = self._language.schema.without([n for n in names if n != name])
        try:
            typed = conform(pa.table({name: cells}), single)
            tokens = code.encode(typed[name].combine_chunks())
        except InputError as error:
            raise ConditionError(f"{error.message} {_holds(code.column)}") from error
        self._codes[name] = torch.from_numpy(tokens.astype(np.int64))


def single(name: str, value: object) -> pa.ChunkedArray:
    """One cell as a column.

    Raises:
        ConditionError: no cell at all.
    """
    try:
        return pa.chunked_array([pa.array([value])])
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise ConditionError(
            f"Column {name!r} is given {value!r}, which is no cell: {error}."
        ) from error


def _holds(column: Column) -> str:
    if isinstance(column, CategoryColumn):
        shown = ", ".join(map(repr, column.categories[:20]))
        more = len(column.categories) - 20
        return f"It holds {shown}{f' and {more} more' if more > 0 else ''}."
    if isinstance(column, NumberColumn):
        return f"It holds {column.minimum} to {column.maximum}."
    return ""
