"""New rows of a group: drawn with its cells given, kept where a range or a classifier agrees."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.generation.generator import SamplingSettings
from llmsynth.progress import Progress, silent
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth.uses.group_classifier import GroupClassifier
from llmsynth.uses.groups import Group

_MOST_DRAWS = 400
"""Rows drawn at most for each row wanted, where a range or a classifier has to agree."""
_FEWEST_DRAWS = 20_000


@dataclass(frozen=True, kw_only=True)
class GroupRows:
    """Rows drawn for a group."""

    table: pa.Table
    relabelled: int
    """Rows that the classifier called otherwise, and that were left out."""
    begun_from: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    """int64: train row that each of the first rows began from; the others were drawn whole."""
    kept: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """float64, of those: share of the cells that are as in that train row."""
    copies: int = 0
    """Rows that were nearly a train row of the group, and that were left out."""


def draw_group(
    synthesizer: Synthesizer,
    group: Group,
    num_rows: int,
    *,
    labeller: GroupClassifier | None = None,
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
            agreed = labeller.agrees(rows)
            otherwise += int((~agreed).sum())
            rows = rows.filter(pa.array(agreed))
        kept.append(rows)
        found += rows.num_rows
        if found >= num_rows:
            break
    return GroupRows(table=pa.concat_tables(kept).slice(0, num_rows), relabelled=otherwise)
