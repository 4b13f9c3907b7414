"""Draws the rows that groups lack, out of real rows or whole ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.codec.row_language import RowLanguage
from llmsynth.errors import SettingsError
from llmsynth.progress import Progress
from llmsynth.synthesizers.private_codes import encode_leniently
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth.uses.additions import Addition
from llmsynth.uses.group_classifier import GroupClassifier
from llmsynth.uses.group_rows import GroupRows, draw_group
from llmsynth.uses.group_tuning import tuned
from llmsynth.uses.redrawing import Redrawer, why_not

Mask = npt.NDArray[np.bool_]
METHODS = ("whole", "redraw")
_CHOICES = 8
"""Whole rows drawn for each one wanted."""


def check_method(synthesizer: Synthesizer, method: str) -> None:
    """Refuse what cannot be done; before a fit, what its settings rule out already.

    Raises:
        SettingsError: `redraw`, where it cannot be done.
    """
    obstacle = why_not(synthesizer)
    if obstacle is not None and method == "redraw":
        raise SettingsError(obstacle, hint="Choose method='whole'.")


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
    check_method(synthesizer, method)

    out = []
    for number, step in enumerate(plan):
        part = _Part(synthesizer, step, train, relabel, seed + number, progress)
        if not step.rows:
            out.append(GroupRows(table=train.slice(0, 0), relabelled=0))
        else:
            out.append(part.redrawn() if method == "redraw" else part.whole(step.rows, None))
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
        """Rows drawn with the group's cells given, by a model that learned more of the group.

        Eight times as many are drawn, and of these some chosen by their probability of the group,
        copies of real rows last. Where a classifier relabels, or a range is to hold, that chooses.
        """
        group, synthesizer = self._step.group, self._synthesizer
        # Under differential privacy a choice would tell of the real rows, at no account.
        is_chosen = not self._relabel and not group.ranges and why_not(synthesizer) is None
        if classifier is None and (self._relabel or is_chosen):
            classifier = GroupClassifier(self._train, synthesizer.schema_, group)
        members = self._train.filter(group.holds(self._train, synthesizer.schema_))
        rows = draw_group(
            tuned(synthesizer, members, seed=self._seed),
            group,
            num_rows * (_CHOICES if is_chosen else 1),
            labeller=classifier if self._relabel else None,
            seed=self._seed,
            progress=self._progress,
        )
        if classifier is None or not is_chosen:
            return rows
        language = synthesizer.learner_.language
        chance = classifier.probabilities(rows.table)
        chance[_are_copies(rows.table, members, language)] = 0.0
        return replace(rows, table=rows.table.take(_chosen(chance, num_rows, self._seed)))


def _are_copies(table: pa.Table, members: pa.Table, language: RowLanguage) -> Mask:
    """Which rows equal a real one of the group in every cell that the model writes."""
    ours, theirs = (
        np.ascontiguousarray(encode_leniently(rows, language, np.arange(rows.num_rows)))
        for rows in (table, members)
    )
    whole = np.dtype((np.void, ours.dtype.itemsize * ours.shape[1]))
    return np.isin(ours.view(whole).ravel(), theirs.view(whole).ravel())


def _chosen(chance: npt.NDArray[np.float64], num_rows: int, seed: int) -> pa.Array:
    """Numbers of rows drawn without replacement by their chance, those of none last; ascending.

    Source: Efraimidis and Spirakis (2006), Information Processing Letters 97, 181-185, in the form
    of the largest sums of a logarithm and Gumbel noise.
    """
    keys = np.log(np.maximum(chance, 1e-9)) + np.random.default_rng(seed).gumbel(size=len(chance))
    keys[chance == 0] = -np.inf
    return pa.array(np.sort(np.argsort(-keys, kind="stable")[:num_rows]))
