"""Draws rows from noisy counts: along a tree of the measured pairs, weighed until all of them fit.

What is drawn holds nothing of the data beyond the counts, so a model may learn it without spending
anything. A column follows its parent in the tree and the root; pairs outside the tree, and what the
tree implies for them, are fitted by weights on the rows (raking; Deming & Stephan 1940), by which
the rows are drawn again.
"""

from __future__ import annotations

import numpy as np

from llmsynth.codec.column_code import SKIPPED, Tokens
from llmsynth.privacy.pair_counts import PairShares, PairTables, cells_of
from llmsynth.privacy.token_marginals import Bands, Floats, TokenMarginals, in_bands

_POOL = 4
"""Rows to choose from, for each row that is drawn."""
_ROUNDS = 25
_MOST_CHANGE = 5.0
"""Most that one pair may change a weight in one round."""


def draw_rows(
    marginals: TokenMarginals, tables: PairTables, num_rows: int, generator: np.random.Generator
) -> Tokens:
    """Rows that keep to the counts; int32 (num_rows, places)."""
    pool = num_rows * _POOL if tables.pairs else num_rows
    rows = _Pool(marginals, tables, pool, generator)
    rows.draw()
    chosen = _resampled(rows.weights(), num_rows, generator) if tables.pairs else np.arange(pool)
    out = rows.codes[chosen]
    for column in marginals.columns:
        _fill(marginals, column, out, generator)
    return out


class _Pool:
    """Rows of which only first places are written."""

    def __init__(
        self,
        marginals: TokenMarginals,
        tables: PairTables,
        num_rows: int,
        generator: np.random.Generator,
    ) -> None:
        self._marginals, self._tables, self._generator = marginals, tables, generator
        self.codes = np.full((num_rows, len(marginals.shares)), SKIPPED, dtype=np.int32)
        self._root_bands = np.zeros(num_rows, dtype=np.int64)

    def draw(self) -> None:
        """Write every column's first place."""
        marginals = self._marginals
        if marginals.root is not None:
            self._write(marginals.root, np.zeros_like(self._root_bands), [self._root_chances()])
            self._root_bands = marginals.root_bands(self.codes)
        tree = _tree(self._tables.pairs)
        written = {marginals.root}
        for start in marginals.columns:
            if start not in written:
                self._write(start, self._root_bands, marginals.given_root(start))
                written.add(start)
                self._follow(start, tree, written)

    def _follow(
        self, start: int, tree: dict[int, list[PairShares]], written: set[int | None]
    ) -> None:
        waiting = [start]
        while waiting:
            parent = waiting.pop()
            for pair in tree.get(parent, []):
                child = pair.second if pair.first == parent else pair.first
                if child not in written:
                    self._write_beside(child, parent, pair)
                    written.add(child)
                    waiting.append(child)

    def _write_beside(self, child: int, parent: int, pair: PairShares) -> None:
        tables, marginals = self._tables, self._marginals
        shares = pair.shares if pair.first == parent else pair.shares.transpose(0, 2, 1)
        place = marginals.language.places(parent).start
        parent_bands = tables.bands[parent][self.codes[:, place]]
        width = shares.shape[1]
        chances = []
        for root_band, alone in enumerate(marginals.given_root(child)):
            within = in_bands(alone, tables.bands[child])[tables.bands[child]]
            by_token = np.divide(alone, within, out=np.zeros_like(alone), where=within > 0)
            for own in shares[tables.classes[root_band]]:
                beside = own[tables.bands[child]] * by_token
                chances.append(beside / beside.sum() if beside.sum() > 0 else alone)
        self._write(child, self._root_bands * width + parent_bands, chances)

    def _root_chances(self) -> Floats:
        assert self._marginals.root is not None
        return self._marginals.first_shares(self._marginals.root)

    def _write(self, column: int, case: Bands, chances: list[Floats] | Floats) -> None:
        """Draw each row's token from the chances of its case."""
        place = self._marginals.language.places(column).start
        uniforms = self._generator.random(len(case))
        order = np.argsort(case, kind="stable")
        cases, starts = np.unique(case[order], return_index=True)
        for number, mine in zip(cases, np.split(order, starts[1:]), strict=True):
            self.codes[mine, place] = _inverse(chances[number], uniforms[mine])

    def weights(self) -> Floats:
        """What each row counts so that the pairs' shares are met; float64 (rows,), summing to 1."""
        targets = []
        for pair in self._tables.pairs:
            cells = cells_of(
                self._marginals,
                self._tables,
                self.codes,
                (pair.first, pair.second),
                pair.shares.shape,
            )
            targets.append((cells, pair.shares.ravel()))
        weights = np.full(len(self.codes), 1 / len(self.codes))
        for _ in range(_ROUNDS):
            for cells, wanted in targets:
                held = np.bincount(cells, weights=weights, minlength=len(wanted))
                change = np.clip(wanted / np.maximum(held, 1e-12), 1 / _MOST_CHANGE, _MOST_CHANGE)
                weights *= change[cells]
                weights /= weights.sum()
        return weights


def _tree(pairs: tuple[PairShares, ...]) -> dict[int, list[PairShares]]:
    """The pairs that join columns which none before them joined, by column (Kruskal)."""
    group: dict[int, int] = {}
    tree: dict[int, list[PairShares]] = {}
    for pair in pairs:
        left, right = group.get(pair.first, pair.first), group.get(pair.second, pair.second)
        if left == right:
            continue
        group |= {pair.first: left, pair.second: right}
        group |= {column: left for column, own in group.items() if own == right}
        for column in (pair.first, pair.second):
            tree.setdefault(column, []).append(pair)
    return tree


def _inverse(chances: Floats, uniforms: Floats) -> Bands:
    """Tokens by inverse cumulative probability."""
    cumulative = np.cumsum(chances)
    found = np.searchsorted(cumulative, uniforms * cumulative[-1], side="right")
    return np.asarray(np.minimum(found, int(np.flatnonzero(chances).max(initial=0))), np.int64)


def _resampled(weights: Floats, count: int, generator: np.random.Generator) -> Bands:
    """Indices drawn by weight, as evenly as whole numbers allow (systematic sampling)."""
    steps = (np.arange(count) + generator.random()) / count
    found = np.searchsorted(np.cumsum(weights), steps)
    return np.asarray(np.minimum(found, len(weights) - 1), np.int64)


def _fill(
    marginals: TokenMarginals, column: int, out: Tokens, generator: np.random.Generator
) -> None:
    """Walk the column's automaton from the first tokens to the later places."""
    code, places = marginals.language.codes[column], marginals.language.places(column)
    automaton = code.automaton
    states = automaton.following[0, out[:, places.start]]
    for place in places[1:]:
        shares = marginals.shares[place]
        for state in np.unique(states[states >= 0]):
            if automaton.place[state] != place - places.start:
                continue
            mine = np.flatnonzero(states == state)
            allowed = automaton.allowed[state, : code.place_sizes[place - places.start]]
            even = allowed.astype(np.float64)
            chances = even if shares is None else even * shares
            if not chances.sum() > 0:
                chances = even
            tokens = _inverse(chances, generator.random(len(mine)))
            if shares is not None:
                out[mine, place] = tokens
            states[mine] = automaton.following[state, tokens]
