"""New rows of a group: drawn with its cells given, kept where a range or a classifier agrees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.generation.generator import SamplingSettings
from llmsynth.progress import Progress, silent
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth.training.teacher import Teacher
from llmsynth.uses.groups import Group

Mask = npt.NDArray[np.bool_]
_MOST_DRAWS = 400
"""Rows drawn at most for each row wanted, where a range or a classifier has to agree."""
_FEWEST_DRAWS = 20_000


@dataclass(frozen=True, kw_only=True)
class GroupRows:
    """Rows drawn for a group."""

    table: pa.Table
    relabelled: int
    """Rows that the classifier called otherwise, and that were left out."""


class Labeller:
    """Does a classifier of the real rows call a row one of the group?

    It is taught by the real train rows and asked synthetic ones; the odds are put to equal class
    sizes first, so that a rare class is called at all.
    """

    def __init__(self, train: pa.Table, schema: TableSchema, group: Group) -> None:
        self._schema = schema.without(group.where)
        members = np.asarray(group.holds(train, schema))
        self._share = float(members.mean())
        self._teacher = Teacher(train, self._schema, "", members.astype(np.int64), 2)

    def __call__(self, table: pa.Table) -> Mask:
        """bool (rows,)."""
        probability = self._teacher.probabilities(table)[:, 1].astype(np.float64)
        called: Mask = probability * (1 - self._share) >= (1 - probability) * self._share
        return called


def draw_group(
    synthesizer: Synthesizer,
    group: Group,
    num_rows: int,
    *,
    labeller: Labeller | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> GroupRows:
    """Draw up to `num_rows` rows of a group; fewer where so many draws do not bring them about.

    Raises:
        ConditionError: a cell that was not learned, e.g. a class of fewer than five rows.
    """
    schema = synthesizer.schema_
    if not group.ranges and labeller is None:
        drawn = synthesizer.sample(num_rows, where=group.fixed, seed=seed, progress=progress)
        return GroupRows(table=drawn.table, relabelled=0)
    most = max(_MOST_DRAWS * num_rows, _FEWEST_DRAWS)
    settings = SamplingSettings(seed=seed, batch_rows=1)
    _, chunks = synthesizer.iter_sample(most, where=group.fixed, settings=settings)
    kept: list[pa.Table] = []
    found, otherwise = 0, 0
    for chunk in chunks:
        rows = chunk.filter(group.holds(chunk, schema))
        if labeller is not None and rows.num_rows:
            agreed = labeller(rows)
            otherwise += int((~agreed).sum())
            rows = rows.filter(pa.array(agreed))
        kept.append(rows)
        found += rows.num_rows
        if found >= num_rows:
            break
    return GroupRows(table=pa.concat_tables(kept).slice(0, num_rows), relabelled=otherwise)
