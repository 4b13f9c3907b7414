"""The context under which a row is drawn, as a table the compact model can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from llmsynth.errors import BundleError
from llmsynth.relational.scale import Numbers, Scale
from llmsynth.schema.columns import CategoryColumn, Column, NumberColumn
from llmsynth.schema.table_schema import TableSchema


@dataclass(frozen=True, kw_only=True)
class Field:
    """One number of the context: a category by its place in `levels`, anything else by its bin."""

    name: str
    levels: tuple[str, ...] | None = None
    scale: Scale | None = None

    @classmethod
    def of(
        cls,
        name: str,
        numbers: Numbers,
        groups: npt.NDArray[np.int64],
        levels: Sequence[str] | None,
        *,
        most_bins: int,
    ) -> Field:
        """A field whose bins follow the numbers of training rows.

        Args:
            groups: int64 (rows,), whose row each is: what a group repeats counts once.
        """
        if levels is not None:
            return cls(name=name, levels=tuple(levels))
        here = ~np.isnan(numbers)
        once = np.unique(np.stack([groups[here], numbers[here]]), axis=1)[1]
        return cls(name=name, scale=Scale.of(once, most_bins=most_bins))

    @property
    def column(self) -> Column:
        """Its column in the table of context."""
        if self.levels is not None:
            return CategoryColumn(name=self.name, nullable=True, categories=self.levels)
        assert self.scale is not None
        top = str(self.scale.size - 1)
        return NumberColumn(name=self.name, nullable=True, minimum="0", maximum=top)

    def cells(self, numbers: Numbers, learned: Column | None = None) -> pa.Array:
        """The context's cells.

        Args:
            numbers: float64 (rows,), NaN where missing.
            learned: the column as the model knows it: bins stop at its bounds, and categories
                that it lacks are missing.
        """
        missing = np.isnan(numbers)
        if self.levels is not None:
            codes = pa.array(np.where(missing, 0, numbers).astype(np.int32), mask=missing)
            texts = pa.DictionaryArray.from_arrays(codes, pa.array(self.levels, pa.string()))
            out = texts.cast(pa.string())
            return out if learned is None else _known(out, learned)
        assert self.scale is not None
        bins = self.scale.bins(np.where(missing, 0, numbers))
        if isinstance(learned, NumberColumn):
            low, high = (int(bound) for bound in learned.bounds)
            bins = np.clip(bins, low, high)
        return pa.array(bins, pa.int64(), mask=missing)

    def to_json(self) -> dict[str, object]:
        """The field as JSON-ready values."""
        if self.levels is not None:
            return {"name": self.name, "levels": list(self.levels)}
        assert self.scale is not None
        return {"name": self.name, "cuts": list(self.scale.cuts)}

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Field:
        """A field from `to_json` output.

        Raises:
            BundleError: not a field.
        """
        name, levels, cuts = data.get("name"), data.get("levels"), data.get("cuts")
        if isinstance(name, str) and isinstance(levels, list):
            return cls(name=name, levels=tuple(str(level) for level in levels))
        if isinstance(name, str) and isinstance(cuts, list):
            return cls(name=name, scale=Scale.from_json(cuts))
        raise BundleError(f"Expected a field of context in the saved synthesizer, got {data!r}.")


def context_table(
    fields: Sequence[Field],
    numbers: Mapping[str, Numbers],
    learned: TableSchema | None = None,
) -> pa.Table:
    """The context of many rows, one column a field."""
    columns = {}
    for f in fields:
        known = None if learned is None else learned.column(f.name)
        columns[f.name] = f.cells(numbers[f.name], known)
    return pa.table(columns)


def _known(texts: pa.Array, learned: Column) -> pa.Array:
    if not isinstance(learned, CategoryColumn):
        return texts
    known = pc.is_in(texts, value_set=pa.array(learned.categories, pa.string()))
    return pc.if_else(known, texts, pa.scalar(None, pa.string()))
