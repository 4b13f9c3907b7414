"""How likely a row is of a group, by classifiers of the real rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.model_selection import StratifiedKFold

from llmsynth.schema.columns import IdentifierColumn, TextColumn
from llmsynth.schema.table_schema import TableSchema
from llmsynth.training.teacher import Teacher
from llmsynth.uses.groups import Group

Mask = npt.NDArray[np.bool_]
_MOST_CLASSIFIERS = 5


class GroupClassifier:
    """P(group | the columns that do not tell it): the mean of five boosted classifiers.

    Each is taught by four fifths of the real rows. One taught by all of them is nearly sure of
    every row that it saw, and says little of rows in between.
    """

    def __init__(self, train: pa.Table, schema: TableSchema, group: Group) -> None:
        members = np.asarray(group.holds(train, schema))
        self._share = float(members.mean())
        self._teachers = []
        fewest = int(min(members.sum(), (~members).sum()))
        schema = schema.without(group.where)
        for rows in _parts(members, min(fewest, _MOST_CLASSIFIERS)):
            taught, label = train.take(pa.array(rows)), members[rows].astype(np.int64)
            if _tells(taught, schema):
                self._teachers.append(Teacher(taught, schema, "", label, 2))

    def probabilities(self, table: pa.Table) -> npt.NDArray[np.float64]:
        """float64 (rows,), at the group's share of the real rows; 1 where nothing tells it."""
        if not self._teachers:
            return np.ones(table.num_rows)
        found = [teacher.probabilities(table)[:, 1] for teacher in self._teachers]
        return np.asarray(np.mean(found, axis=0, dtype=np.float64))

    def agrees(self, table: pa.Table) -> Mask:
        """bool (rows,): is a row called one of the group, the group's share put to a half?"""
        probability = self.probabilities(table)
        called: Mask = probability * (1 - self._share) >= (1 - probability) * self._share
        return called


def _tells(table: pa.Table, schema: TableSchema) -> bool:
    """Whether any column has two values."""
    typed = [c.name for c in schema.columns if not isinstance(c, IdentifierColumn | TextColumn)]
    return any(pc.count_distinct(table[name], mode="only_valid").as_py() > 1 for name in typed)


def _parts(members: Mask, count: int) -> list[npt.NDArray[np.int64]]:
    if count == 0:
        return []
    if count == 1:
        return [np.arange(len(members))]
    folds = StratifiedKFold(count, shuffle=True, random_state=0)
    return [taught for taught, _ in folds.split(members, members)]
