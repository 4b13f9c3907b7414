"""New rows of a group out of its real ones: cells drawn anew as long as the row stays of the group.

A real row begins. In each of three steps a random part of its cells is drawn by the model given all
others, and the step is taken with the chance p(new) / p(old), p being the probability of the group
by classifiers of the real rows: Metropolis and Hastings' rule, with the model's conditional as the
proposal. What the model has learned of so few rows counts for less than what it has learned of all.

Source: W. K. Hastings (1970), Biometrika 57, 97-109.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.codec.column_code import SKIPPED, Tokens
from llmsynth.codec.row_language import RowLanguage
from llmsynth.errors import SettingsError
from llmsynth.generation.conditions import Conditions
from llmsynth.generation.identifiers import IdentifierMaker
from llmsynth.progress import Progress, Step
from llmsynth.schema.columns import IdentifierColumn, TextColumn
from llmsynth.synthesizers.private_codes import encode_leniently
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth.tables.broken_rows import broken_rows
from llmsynth.tables.conforming import fitting_cells
from llmsynth.uses.fitting import completer, is_fitted
from llmsynth.uses.group_classifier import GroupClassifier
from llmsynth.uses.group_rows import GroupRows
from llmsynth.uses.groups import Group

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]
_STEPS = 3
_LEAST, _MOST = 0.2, 0.4
"""Share of a row's cells that one step draws anew."""
_CHANGED = 0.1
"""Share of its cells in which a row differs from every real one of the group, or is refused."""
_MOST_ROUNDS = 12
_FEWEST_CHOSEN = 0.02
"""Share of a round's rows that must be of use for another round to follow."""
_COMPARED = 4_000_000
"""Pairs of rows compared at a time."""


def why_not(synthesizer: Synthesizer) -> str | None:
    """Why rows cannot be drawn from real ones by this synthesizer; None where they can.

    Before its fit only the settings tell.
    """
    if synthesizer.privacy is not None:
        return "Under differential privacy no row may begin from a real one."
    if not is_fitted(synthesizer):
        return None
    if any(isinstance(column, TextColumn) for column in synthesizer.schema_.columns):
        return "A real row's free text would come along."
    try:
        completer(synthesizer, may_miss=True)
    except SettingsError as error:
        return error.message
    return None


@dataclass(frozen=True)
class _Chain:
    """Rows on their way: the cells now, and whether they have moved."""

    table: pa.Table
    probability: npt.NDArray[np.float64]
    has_moved: Mask


class Redrawer:
    """Draws rows of a group out of the real ones.

    Args:
        train: the rows that the synthesizer learned.

    Raises:
        ConditionError: a cell of the group that was not learned, e.g. a class of under five rows.
    """

    def __init__(
        self, synthesizer: Synthesizer, train: pa.Table, group: Group, *, seed: int
    ) -> None:
        self._schema, self._group, self._seed = synthesizer.schema_, group, seed
        self._language: RowLanguage = synthesizer.learner_.language
        Conditions(self._language, where=group.fixed)
        self._completer = completer(synthesizer, may_miss=True)
        columns = [
            pa.chunked_array([fitting_cells(column, train[column.name])])
            for column in self._schema.columns
        ]
        train = pa.table(columns, names=list(self._schema.names))
        self.classifier = GroupClassifier(train, self._schema, group)
        self._numbers = np.flatnonzero(np.asarray(group.holds(train, self._schema)))
        self._members = train.take(pa.array(self._numbers))
        self._codes = self._encoded(self._members)
        fixed = {*group.fixed, *synthesizer.context}
        names = self._schema.names
        typed = [n for n in range(len(names)) if self._language.places(n)]
        self._told = [n for n in typed if names[n] not in group.fixed]
        self._free = np.array([n for n in typed if names[n] not in fixed], dtype=np.int64)
        self._always = _always_drawn(synthesizer, names)
        self._tied = [
            [names.index(name) for name in constraint.columns]
            for constraint in self._schema.constraints
        ]

    def draw(self, num_rows: int, *, relabel: bool, progress: Progress) -> GroupRows:
        """Up to `num_rows` rows; fewer where real rows leave too little room for new ones."""
        rng = np.random.default_rng(self._seed)
        order = rng.permutation(len(self._numbers))
        begun: Rows = np.empty(0, dtype=np.int64)
        parts, kept = [self._members.slice(0, 0)], [np.empty(0)]
        copies, otherwise, asked, found = 0, 0, 0, 0
        for _ in range(_MOST_ROUNDS):
            wanted = num_rows - found
            if wanted <= 0 or not len(self._free):
                break
            own = order[np.arange(asked, asked + wanted) % len(order)]
            asked += wanted
            chain = self._walked(own, rng)
            good = chain.has_moved & np.asarray(self._group.holds(chain.table, self._schema))
            if not good.any():
                break
            table, own = self._spelled(chain.table.filter(pa.array(good))), own[good]
            same, is_copy = self._compared(table, own)
            copies += int(is_copy.sum())
            agreed = self.classifier.agrees(table) if relabel else np.ones(len(own), dtype=np.bool_)
            otherwise += int((~agreed & ~is_copy).sum())
            chosen = agreed & ~is_copy
            parts.append(table.filter(pa.array(chosen)))
            kept.append(same[chosen])
            begun = np.concatenate([begun, self._numbers[own[chosen]]])
            found += int(chosen.sum())
            progress(Step(stage="sample", done=found, total=num_rows))
            if chosen.sum() < _FEWEST_CHOSEN * wanted:
                break
        return GroupRows(
            table=self._named(pa.concat_tables(parts)),
            relabelled=otherwise,
            begun_from=begun,
            kept=np.concatenate(kept),
            copies=copies,
        )

    def _walked(self, own: Rows, rng: np.random.Generator) -> _Chain:
        table = self._members.take(pa.array(own))
        chain = _Chain(table, self.classifier.probabilities(table), np.zeros(len(own), np.bool_))
        for _ in range(_STEPS):
            chain = self._stepped(chain, rng)
        return chain

    def _stepped(self, chain: _Chain, rng: np.random.Generator) -> _Chain:
        codes = self._encoded(chain.table)
        wanted = self._wanted(codes, rng)
        new, _ = self._completer.complete(
            chain.table, codes, wanted, seed=int(rng.integers(1 << 31)), max_attempts=4
        )
        probability = self.classifier.probabilities(new)
        chance = rng.random(len(codes))
        is_taken = chance * chain.probability <= probability
        is_taken &= ~broken_rows(new, self._schema.constraints)
        rows = np.arange(len(codes)) + len(codes) * is_taken
        return _Chain(
            pa.concat_tables([chain.table, new]).take(pa.array(rows)),
            np.where(is_taken, probability, chain.probability),
            chain.has_moved | is_taken,
        )

    def _wanted(self, codes: Tokens, rng: np.random.Generator) -> Mask:
        """Which cells a step draws: bool (rows, columns)."""
        count = len(self._free)
        number = np.rint(rng.uniform(_LEAST, _MOST, len(codes)) * count).clip(1)
        ranks = rng.random((len(codes), count)).argsort(axis=1).argsort(axis=1)
        wanted = np.zeros((len(codes), len(self._schema.names)), dtype=np.bool_)
        wanted[:, self._free] = ranks < number[:, None]
        for column in self._free:
            # What the model did not learn, as rare values, must not stay.
            wanted[:, column] |= codes[:, self._language.places(int(column)).start] == SKIPPED
        wanted[:, self._always] = True
        is_free = np.isin(np.arange(wanted.shape[1]), self._free)
        for columns in self._tied:
            wanted[:, columns] |= wanted[:, columns].any(axis=1, keepdims=True)
        wanted &= is_free
        return wanted

    def _compared(self, table: pa.Table, own: Rows) -> tuple[npt.NDArray[np.float64], Mask]:
        """Each row's share of cells as in the row it began from; is it nearly a real row?"""
        codes = self._encoded(table)
        allowed = len(self._told) - max(1.0, _CHANGED * len(self._told))
        same, is_copy = np.zeros(len(codes)), np.zeros(len(codes), dtype=np.bool_)
        step = max(1, _COMPARED // max(len(self._codes), 1))
        for first in range(0, len(codes), step):
            part = slice(first, first + step)
            equal = sum(self._equal(codes[part], n) for n in self._told)
            counts = np.asarray(equal)
            is_copy[part] = counts.max(axis=1) > allowed
            same[part] = counts[np.arange(len(counts)), own[part]] / len(self._told)
        return same, is_copy

    def _equal(self, codes: Tokens, column: int) -> npt.NDArray[np.int16]:
        """1 where a row's cell is that of a real row of the group; (rows, real rows)."""
        places = self._language.places(column)
        ours, theirs = (c[:, places.start : places.stop] for c in (codes, self._codes))
        both = np.concatenate([ours, theirs])
        number = np.unique(both, axis=0, return_inverse=True)[1].ravel()
        is_equal: Mask = number[: len(ours), None] == number[None, len(ours) :]
        return is_equal.astype(np.int16)

    def _encoded(self, table: pa.Table) -> Tokens:
        return encode_leniently(table, self._language, np.arange(table.num_rows))

    def _spelled(self, table: pa.Table) -> pa.Table:
        """The cells as the model writes them: what is kept lies within the learned bounds, too."""
        spelled = self._language.decode(self._encoded(table))
        for name in self._group.fixed:
            spelled = spelled.set_column(
                spelled.column_names.index(name), name, table[name].combine_chunks()
            )
        return spelled.cast(table.schema)

    def _named(self, table: pa.Table) -> pa.Table:
        for column in self._schema.columns:
            if isinstance(column, IdentifierColumn):
                cells = IdentifierMaker(column, self._seed).make(0, table.num_rows)
                table = table.set_column(table.column_names.index(column.name), column.name, cells)
        return table


def _always_drawn(synthesizer: Synthesizer, names: tuple[str, ...]) -> list[int]:
    """Columns of personal data: the real row has what the model never saw."""
    record = synthesizer.provenance_.get("personal_data")
    found = record.get("replaced", {}) if isinstance(record, dict) else {}
    return [names.index(name) for name in found if name in names]
