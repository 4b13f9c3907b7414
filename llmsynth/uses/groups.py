"""Groups of rows that a rebalanced table is to hold more of: values, ranges, both together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.errors import ConditionError, InputError, SettingsError
from llmsynth.schema.columns import IdentifierColumn, TextColumn
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.conforming import conform

_ORDERED = ("number", "date", "datetime")


@dataclass(frozen=True, kw_only=True)
class Range:
    """Cells from `minimum` to `maximum`, both included; None for no bound."""

    minimum: object = None
    maximum: object = None

    def __post_init__(self) -> None:
        if self.minimum is None and self.maximum is None:
            raise SettingsError("A range needs a minimum or a maximum; it has neither.")

    def __str__(self) -> str:
        low, high = ("" if end is None else str(end) for end in (self.minimum, self.maximum))
        return f"{low}..{high}"


@dataclass(frozen=True, kw_only=True)
class Group:
    """Rows that agree on some cells, and the share of the table that they are to have."""

    where: Mapping[str, object]
    """Column to value, a `Range`, or None for a missing cell."""
    share: float

    def __post_init__(self) -> None:
        if not self.where:
            raise SettingsError("A group needs a column; it names none.")
        if not 0 < self.share <= 1:
            raise SettingsError(f"A share lies above 0 and at most 1, got {self.share}.")

    @property
    def label(self) -> str:
        """The group in words, e.g. `fraud=yes, amount=1000..`."""
        return ", ".join(f"{name}={_spelled(value)}" for name, value in self.where.items())

    @property
    def fixed(self) -> dict[str, object]:
        """The cells that are given, ranges aside."""
        return {name: value for name, value in self.where.items() if not _is_range(value)}

    @property
    def ranges(self) -> dict[str, Range]:
        """The ranges alone."""
        return {name: value for name, value in self.where.items() if isinstance(value, Range)}

    def holds(self, table: pa.Table, schema: TableSchema) -> pa.BooleanArray:
        """Which rows of a typed table belong to it.

        Raises:
            ConditionError: a column or cell that the schema cannot hold.
        """
        masks = [_holds(table[name], schema, name, value) for name, value in self.where.items()]
        return reduce(pc.and_, masks)

    def to_json(self) -> dict[str, object]:
        """The group as JSON-ready values; `groups_of` reads them back."""
        where = {
            name: {"minimum": value.minimum, "maximum": value.maximum}
            if isinstance(value, Range)
            else value
            for name, value in self.where.items()
        }
        return {"where": where, "share": self.share}


def _holds(
    cells: pa.ChunkedArray, schema: TableSchema, name: str, value: object
) -> pa.BooleanArray:
    column = schema.column(name)
    if isinstance(column, IdentifierColumn | TextColumn):
        raise ConditionError(f"Column {name!r} is {column.kind}; no group can be told by it.")
    if value is None:
        mask = cells.is_null()
    elif isinstance(value, Range):
        if column.kind not in _ORDERED:
            raise ConditionError(f"Column {name!r} is {column.kind}; a range needs an order.")
        ends = {"minimum": pc.greater_equal, "maximum": pc.less_equal}
        parts = [
            compare(cells, _cell(schema, name, end))
            for field_name, compare in ends.items()
            if (end := getattr(value, field_name)) is not None
        ]
        mask = reduce(pc.and_, parts)
    else:
        mask = pc.equal(cells, _cell(schema, name, value))
    return mask.fill_null(False).combine_chunks()


def _cell(schema: TableSchema, name: str, value: object) -> pa.Scalar:
    one = schema.without([other for other in schema.names if other != name])
    try:
        return conform(pa.table({name: pa.array([value])}), one)[name][0]
    except (InputError, pa.ArrowException, TypeError) as error:
        raise ConditionError(f"Column {name!r} cannot hold {value!r}: {error}") from error


def _is_range(value: object) -> bool:
    return isinstance(value, Range)


def _spelled(value: object) -> str:
    return "(missing)" if value is None else str(value)
