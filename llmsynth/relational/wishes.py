"""What rows say about a parent that is found for them once they are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.relational.cell_numbers import CellNumbers
from llmsynth.relational.context_fields import Field
from llmsynth.relational.matching import Codes
from llmsynth.schema.columns import BooleanColumn, CategoryColumn, Column, NumberColumn
from llmsynth.schema.metadata_set import ForeignKey
from llmsynth.schema.storage import arrow_type

_EXACT_VALUES, _BINS = 128, 16
"""A number of at most so many values is wished for exactly, others by one of so many bins."""
_LEAST_SAME = 0.2
"""Share of rows, beyond chance, in which both parents agree for that to be drawn by itself."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """The drawn columns of one foreign key.

    fields: what the parent is like, the most telling first.
    same_as: field to a column of the row's first parent that often holds the same.
    exact: fields that name a value rather than a bin.
    is_single: no parent has two of these rows.
    is_one_to_one: every parent has exactly one.
    is_optional: rows may have no such parent.
    """

    link: ForeignKey
    fields: tuple[Field, ...]
    same_as: Mapping[str, str] = field(default_factory=dict)
    exact: tuple[str, ...] = ()
    is_single: bool
    is_one_to_one: bool
    is_optional: bool

    def value_name(self, of: Field) -> str:
        """The drawn column of one field."""
        return f"@{self.link.column} {of.name}"

    def same_name(self, of: Field) -> str:
        """The drawn column that says whether both parents agree."""
        return f"@{self.link.column} same {of.name}"

    @property
    def present_name(self) -> str:
        """The drawn column that says whether there is such a parent."""
        return f"@{self.link.column} ?"

    def known(self, parent: Sequence[Column]) -> Wish:
        """The wish without values of the parent's that too few rows hold."""
        learned = {column.name: column for column in parent}
        fields = []
        for found in self.fields:
            column = learned[found.name]
            if found.levels is not None and isinstance(column, CategoryColumn):
                found = replace(found, levels=column.categories)
            fields.append(found)
        return replace(self, fields=tuple(fields))

    def has_parent(self, cells: pa.Table) -> npt.NDArray[np.bool_]:
        """Which drawn rows have a parent of this kind at all."""
        if not self.is_optional:
            return np.ones(cells.num_rows, dtype=np.bool_)
        return _is_one(cells[self.present_name])

    def wished(self, cells: pa.Table, context: pa.Table, own: Mapping[str, Column]) -> Codes:
        """What drawn rows wish their parent to be like; int64 (rows, fields), -1 for missing.

        Args:
            context: of each row's first parent; own: its columns by name.
        """
        out = []
        for found in self.fields:
            drawn = cells[self.value_name(found)]
            if found.levels is not None:
                codes = codes_of(found, _reader(found, found.column), drawn)
            else:
                codes = np.asarray(drawn.combine_chunks().fill_null(-1), dtype=np.int64)
            if found.name in self.same_as:
                column = own[self.same_as[found.name]]
                copied = codes_of(found, _reader(found, column), context[column.name])
                is_same = _is_one(cells[self.same_name(found)]) & (copied >= 0)
                codes = np.where(is_same, copied, codes)
            out.append(codes)
        return np.stack(out, axis=1) if out else np.zeros((cells.num_rows, 0), dtype=np.int64)

    def offered(self, cells: pa.Table, columns: Sequence[Column]) -> Codes:
        """The same of parents that are there; int64 (parents, fields)."""
        known = {column.name: column for column in columns}
        out = [codes_of(f, _reader(f, known[f.name]), cells[f.name]) for f in self.fields]
        return np.stack(out, axis=1) if out else np.zeros((cells.num_rows, 0), dtype=np.int64)

    def as_cells(self, wishes: Codes, columns: Sequence[Column]) -> pa.Table | None:
        """The wishes that name values, as cells of parents to be made; None where there is none."""
        known = {column.name: column for column in columns}
        out: dict[str, pa.Array] = {}
        for place, found in enumerate(self.fields):
            codes, column = wishes[:, place], known[found.name]
            if found.name not in self.exact or (codes < 0).any():
                continue
            if found.levels is not None and len(found.levels):
                texts = pa.array(found.levels, pa.string()).take(pa.array(codes))
                out[found.name] = texts.cast(arrow_type(column.storage))
            if found.scale is not None and isinstance(column, NumberColumn):
                low, high = (float(bound) for bound in column.bounds)
                values = np.array([*found.scale.cuts, high])[codes].clip(low, high)
                out[found.name] = pa.array(values).cast(arrow_type(column.storage), safe=False)
        return pa.table(out) if out else None

    def to_json(self) -> dict[str, object]:
        """The wish as JSON-ready values."""
        return {
            "column": self.link.column,
            "fields": [f.to_json() for f in self.fields],
            "same_as": dict(self.same_as),
            "exact": list(self.exact),
            "is_single": self.is_single,
            "is_one_to_one": self.is_one_to_one,
            "is_optional": self.is_optional,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, object], links: Sequence[ForeignKey]) -> Self:
        """A wish from `to_json` output.

        Raises:
            BundleError, KeyError, TypeError: not a wish.
        """
        fields, same_as, exact = data["fields"], data["same_as"], data["exact"]
        if not (isinstance(fields, list) and isinstance(same_as, dict) and isinstance(exact, list)):
            raise TypeError(f"expected a wish, got {data!r}")
        return cls(
            link=next(link for link in links if link.column == data["column"]),
            fields=tuple(Field.from_json(f) for f in fields),
            same_as={str(k): str(v) for k, v in same_as.items()},
            exact=tuple(map(str, exact)),
            is_single=bool(data["is_single"]),
            is_one_to_one=bool(data["is_one_to_one"]),
            is_optional=bool(data["is_optional"]),
        )


def coded(column: Column, cells: pa.ChunkedArray) -> tuple[Field, Codes, bool]:
    """A real column as a field, the code of every cell, and whether codes name values."""
    reader = CellNumbers(column)
    numbers = reader.read(cells)
    rows = np.arange(len(numbers))
    few = len(np.unique(numbers[~np.isnan(numbers)])) <= _EXACT_VALUES
    bins = _EXACT_VALUES if few else _BINS
    found = Field.of(column.name, numbers, rows, reader.levels, most_bins=bins)
    is_exact = not isinstance(column, BooleanColumn) and (reader.levels is not None or few)
    return found, codes_of(found, reader, cells), is_exact


def codes_of(found: Field, reader: CellNumbers, cells: pa.ChunkedArray) -> Codes:
    """Cells as the codes that wishes are compared by; -1 if missing."""
    numbers = reader.read(cells)
    missing = np.isnan(numbers)
    whole = np.where(missing, 0, numbers)
    codes = whole.astype(np.int64) if found.scale is None else found.scale.bins(whole)
    return np.where(missing, -1, codes)


def same_column(
    column: Column, codes: Codes, found: Field, others: Mapping[str, tuple[Column, pa.ChunkedArray]]
) -> str | None:
    """The column of the first parent that holds the same far more often than by chance.

    Args:
        codes: int64 (rows,), the field's codes of each row's own second parent.
        others: the first parent's columns and cells, a cell for each of these rows.
    """
    best, most = None, _LEAST_SAME
    shuffled = np.random.default_rng(0).permutation(len(codes))
    for name, (other, cells) in others.items():
        if other.kind != column.kind:
            continue
        theirs = codes_of(found, _reader(found, other), cells)
        agree = (codes == theirs) & (codes >= 0)
        chance = (codes == theirs[shuffled]) & (codes >= 0)
        gain = float(agree.mean() - chance.mean()) if len(codes) else 0.0
        if gain > most:
            best, most = name, gain
    return best


def flags(name: str, is_true: npt.NDArray[np.bool_]) -> tuple[Column, pa.Array]:
    """A drawn column of zeros and ones."""
    return NumberColumn(name=name, minimum="0", maximum="1"), pa.array(is_true.astype(np.int64))


def _is_one(cells: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    return np.asarray(np.asarray(cells.combine_chunks()) == 1, dtype=np.bool_)


def _reader(found: Field, column: Column) -> CellNumbers:
    if found.levels is None or not isinstance(column, CategoryColumn):
        return CellNumbers(column)
    # The same place in the same list on both sides, whichever of them a model has learned.
    return CellNumbers(replace(column, categories=found.levels))
