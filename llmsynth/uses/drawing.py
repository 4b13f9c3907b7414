"""Draws the rows that groups lack, out of real rows or whole ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from llmsynth.errors import SettingsError
from llmsynth.progress import Progress
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth.uses.additions import Addition
from llmsynth.uses.group_classifier import GroupClassifier
from llmsynth.uses.group_rows import GroupRows, draw_group
from llmsynth.uses.redrawing import Redrawer, why_not

METHODS = ("auto", "redraw", "whole")


def must_be_whole(synthesizer: Synthesizer, method: str) -> bool:
    """Whether rows are to be drawn whole; before a fit, whether its settings say so already.

    Raises:
        SettingsError: `redraw`, where it cannot be done.
    """
    obstacle = why_not(synthesizer)
    if obstacle is not None and method == "redraw":
        raise SettingsError(obstacle, hint="Choose method='whole', or leave the choice to 'auto'.")
    return obstacle is not None or method == "whole"


def drawn_rows(
    synthesizer: Synthesizer,
    plan: Sequence[Addition],
    train: pa.Table,
    *,
    method: str,
    relabel: bool,
    seed: int,
    progress: Progress,
) -> list[GroupRows]:
    """Rows for each step of a plan; none for a step that asks for none.

    Args:
        train: the rows that were learned, in the columns that were learned.
        method: one of `METHODS`; see `llmsynth.uses.rebalancing.RebalanceSettings`.

    Raises:
        SettingsError: `redraw`, where it cannot be done.
        ConditionError: a cell that was not learned, e.g. a class of fewer than five rows.
    """
    is_whole = must_be_whole(synthesizer, method)

    out = []
    for number, step in enumerate(plan):
        part = _Part(synthesizer, step, train, relabel, seed + number, progress)
        if not step.rows:
            out.append(GroupRows(table=train.slice(0, 0), relabelled=0))
        else:
            out.append(part.whole(step.rows, None) if is_whole else part.redrawn())
    return out


class _Part:
    """One step of a plan."""

    def __init__(
        self,
        synthesizer: Synthesizer,
        step: Addition,
        train: pa.Table,
        relabel: bool,
        seed: int,
        progress: Progress,
    ) -> None:
        self._synthesizer, self._step, self._train = synthesizer, step, train
        self._relabel, self._seed, self._progress = relabel, seed, progress

    def redrawn(self) -> GroupRows:
        """Rows out of real ones, and whole ones where these leave no room for more."""
        wanted = self._step.rows
        redrawer = Redrawer(self._synthesizer, self._train, self._step.group, seed=self._seed)
        rows = redrawer.draw(wanted, relabel=self._relabel, progress=self._progress)
        if rows.table.num_rows == wanted:
            return rows
        more = self.whole(wanted - rows.table.num_rows, redrawer.classifier)
        table = more.table.select(rows.table.column_names).cast(rows.table.schema)
        return replace(
            rows,
            table=pa.concat_tables([rows.table, table]),
            relabelled=rows.relabelled + more.relabelled,
        )

    def whole(self, num_rows: int, classifier: GroupClassifier | None) -> GroupRows:
        """Rows drawn with the group's cells given."""
        group = self._step.group
        if self._relabel and classifier is None:
            classifier = GroupClassifier(self._train, self._synthesizer.schema_, group)
        return draw_group(
            self._synthesizer,
            group,
            num_rows,
            labeller=classifier if self._relabel else None,
            seed=self._seed,
            progress=self._progress,
        )
