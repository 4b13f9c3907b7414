"""A gradient-boosting classifier of one column by all others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.ensemble import HistGradientBoostingClassifier

from llmsynth.schema.columns import (
    BooleanColumn,
    CategoryColumn,
    Column,
    IdentifierColumn,
    TextColumn,
)
from llmsynth.schema.table_schema import TableSchema

_MOST_NATIVE_CATEGORIES = 255


class Features:
    """A table's columns as numbers that boosting takes; the target, keys and texts stay out.

    Args:
        table: the training table, in storage types; a column of one value in it teaches nothing,
            and one without any breaks scikit-learn's binning, so both are left out.
    """

    def __init__(self, table: pa.Table, schema: TableSchema, target: str) -> None:
        columns = [
            c
            for c in schema.columns
            if c.name != target and not isinstance(c, (IdentifierColumn, TextColumn))
        ]
        values = [_feature(column, table[column.name]) for column in columns]
        self._columns = [
            column
            for column, cells in zip(columns, values, strict=True)
            if len(np.unique(cells[~np.isnan(cells)])) > 1
        ]
        self.native = [
            isinstance(c, CategoryColumn) and 0 < len(c.categories) <= _MOST_NATIVE_CATEGORIES
            for c in self._columns
        ]

    def __call__(self, table: pa.Table) -> npt.NDArray[np.float64]:
        """float64 (rows, features); NaN where a cell is missing or unknown."""
        if not self._columns:
            return np.zeros((table.num_rows, 0))
        return np.stack([_feature(column, table[column.name]) for column in self._columns], axis=1)


class Teacher:
    """P(target | all other columns), learned from the real rows.

    Args:
        table: the protected training table, in storage types.
        labels: int64 (rows,), the target's token in each row.
        num_tokens: how many tokens the target's place has.
    """

    def __init__(
        self,
        table: pa.Table,
        schema: TableSchema,
        target: str,
        labels: npt.NDArray[np.int64],
        num_tokens: int,
    ) -> None:
        self._features = Features(table, schema, target)
        self._num_tokens = num_tokens
        self._model = HistGradientBoostingClassifier(
            max_iter=200,
            categorical_features=self._features.native,
            early_stopping=False,
            random_state=0,
        )
        self._model.fit(self._features(table), labels)

    def probabilities(self, table: pa.Table) -> npt.NDArray[np.float32]:
        """float32 (rows, tokens), over the tokens of the target's place."""
        out = np.zeros((table.num_rows, self._num_tokens), dtype=np.float32)
        out[:, self._model.classes_] = self._model.predict_proba(self._features(table))
        return out


def _feature(column: Column, cells: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    if isinstance(column, CategoryColumn):
        known = pa.array(column.categories, pa.string())
        codes = pc.index_in(cells.cast(pa.string()), value_set=known)
        return np.asarray(codes.cast(pa.float64()).to_numpy())
    if isinstance(column, BooleanColumn):
        return np.asarray(cells.cast(pa.int8()).cast(pa.float64()).to_numpy())
    if pa.types.is_temporal(cells.type):
        cells = cells.cast(pa.int32() if cells.type == pa.date32() else pa.int64(), safe=False)
    return np.asarray(cells.cast(pa.float64(), safe=False).to_numpy())
