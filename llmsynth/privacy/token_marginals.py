"""Noisy counts of a row language's tokens, alone and beside a root column; rows drawn from them.

Rows drawn from here hold nothing of the data beyond the noisy counts, so a model may learn them
without spending anything: the format first, and what the counts tell.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from llmsynth.codec.column_code import SKIPPED, ColumnCode, Tokens
from llmsynth.codec.row_language import RowLanguage
from llmsynth.privacy.noisy_counts import NoisyCounts

_MOST_BANDS = 32
_LEAST_BAND = 4.0
"""Noisy rows a band must hold, in standard deviations of the counts beside the root."""
_FITTING_ROUNDS = 20

Floats = npt.NDArray[np.float64]
Bands = npt.NDArray[np.int64]


@dataclass
class TokenMarginals:
    """Shares of tokens.

    Args:
        shares: one array a learned place, each summing to 1; None where a place is not learned.
        bands: one array a column: the band of each token at its first place.
        joint: one array a column, (root bands, own bands), summing to 1; None for the root.
        root: index of the root column; None where columns are drawn on their own.
    """

    language: RowLanguage
    shares: list[Floats | None]
    root: int | None = None
    bands: list[Bands] = field(default_factory=list)
    joint: list[Floats | None] = field(default_factory=list)

    def draw(self, num_rows: int, generator: np.random.Generator) -> Tokens:
        """Rows in which each column depends on the root alone; int32 (num_rows, places)."""
        out = np.full((num_rows, len(self.shares)), SKIPPED, dtype=np.int32)
        columns = [c for c in range(len(self.language.codes)) if self.language.places(c)]
        root_bands = np.zeros(num_rows, dtype=np.int64)
        if self.root is not None:
            first = self._first_tokens(self.root, num_rows, generator)
            root_bands = self.bands[self.root][first]
            self._fill(out, self.root, first, generator)
        for column in columns:
            if column != self.root:
                tokens = self._beside_root(column, root_bands, generator)
                self._fill(out, column, tokens, generator)
        return out

    def _first_tokens(self, column: int, count: int, generator: np.random.Generator) -> Bands:
        shares = self.first_shares(column)
        return generator.choice(len(shares), size=count, p=shares)

    def first_shares(self, column: int) -> Floats:
        """Shares of the tokens at a column's first place."""
        shares = self.shares[self.language.places(column).start]
        assert shares is not None
        return shares

    def _beside_root(self, column: int, root_bands: Bands, generator: np.random.Generator) -> Bands:
        joint = self.joint[column] if self.joint else None
        if joint is None:
            return self._first_tokens(column, len(root_bands), generator)
        shares, bands = self.first_shares(column), self.bands[column]
        within = np.bincount(bands, weights=shares, minlength=joint.shape[1])
        tokens = np.zeros(len(root_bands), dtype=np.int64)
        for root_band in np.unique(root_bands):
            mine = np.flatnonzero(root_bands == root_band)
            own = joint[root_band] / max(joint[root_band].sum(), 1e-12)
            by_token = np.divide(shares, within[bands], out=np.zeros_like(shares), where=shares > 0)
            chances = own[bands] * by_token
            total = chances.sum()
            chances = chances / total if total > 0 else shares
            tokens[mine] = generator.choice(len(shares), size=len(mine), p=chances)
        return tokens

    def _fill(self, out: Tokens, column: int, first: Bands, generator: np.random.Generator) -> None:
        """Write first tokens, and walk the column's automaton for the later places."""
        code, places = self.language.codes[column], self.language.places(column)
        automaton = code.automaton
        out[:, places.start] = first
        states = automaton.following[0, first]
        for place in places[1:]:
            shares = self.shares[place]
            for state in np.unique(states[states >= 0]):
                if automaton.place[state] != place - places.start:
                    continue
                mine = np.flatnonzero(states == state)
                allowed = automaton.allowed[state, : code.place_sizes[place - places.start]]
                chances = allowed * (shares if shares is not None else 1.0)
                chances = chances if chances.sum() > 0 else allowed.astype(np.float64)
                tokens = generator.choice(len(chances), size=len(mine), p=chances / chances.sum())
                if shares is not None:
                    out[mine, place] = tokens
                states[mine] = automaton.following[state, tokens]


def measure_alone(
    codes: Tokens, language: RowLanguage, unlearned: frozenset[int], counts: NoisyCounts
) -> TokenMarginals:
    """Noisy shares of the tokens at every learned place.

    Args:
        codes: int32 (rows, places), encoded rows; SKIPPED where a place is not used.
    """
    shares: list[Floats | None] = []
    for place, size in enumerate(language.place_sizes.tolist()):
        if place in unlearned:
            shares.append(None)
            continue
        noisy = counts.closed(codes[:, place], size)
        shares.append(_as_shares(noisy))
    return TokenMarginals(language, shares)


def measure_beside(
    marginals: TokenMarginals, codes: Tokens, root: int, num_rows: int, counts: NoisyCounts
) -> TokenMarginals:
    """The marginals with noisy counts of each column's bands beside the root's."""
    language = marginals.language
    columns = range(len(language.codes))
    least = max(_LEAST_BAND * counts.deviation, num_rows / _MOST_BANDS) / max(num_rows, 1)
    bands = [
        _bands(language.codes[c], marginals.first_shares(c), least, is_root=c == root)
        if language.places(c)
        else np.zeros(0, dtype=np.int64)
        for c in columns
    ]
    root_codes = codes[:, language.places(root).start]
    root_shares = _in_bands(marginals.first_shares(root), bands[root])
    joint: list[Floats | None] = []
    for column in columns:
        if column == root or not language.places(column):
            joint.append(None)
            continue
        own_codes = codes[:, language.places(column).start]
        known = (root_codes >= 0) & (own_codes >= 0)
        width = int(bands[column].max()) + 1
        cell = np.full(len(codes), -1, dtype=np.int64)
        cell[known] = bands[root][root_codes[known]] * width + bands[column][own_codes[known]]
        noisy = counts.closed(cell, len(root_shares) * width).reshape(-1, width)
        own_shares = _in_bands(marginals.first_shares(column), bands[column])
        joint.append(_fitted(_as_shares(noisy), root_shares, own_shares))
    return TokenMarginals(language, marginals.shares, root, bands, joint)


def num_learned(language: RowLanguage, unlearned: frozenset[int]) -> int:
    """How many histograms `measure_alone` asks for."""
    return len(language.place_sizes) - len(unlearned)


def num_beside(language: RowLanguage) -> int:
    """How many histograms `measure_beside` asks for."""
    return sum(1 for c in range(len(language.codes)) if language.places(c)) - 1


def _as_shares(noisy: Floats) -> Floats:
    """The nearest shares (in squares) to noisy counts: none negative, sum 1."""
    flat = noisy.ravel()
    total = max(float(flat.sum()), 1.0)
    falling = np.sort(flat)[::-1]
    surplus = (np.cumsum(falling) - total) / np.arange(1, len(flat) + 1)
    last = int(np.flatnonzero(falling > surplus).max(initial=0))
    kept = np.clip(flat - surplus[last], 0, None)
    shares = kept / kept.sum() if kept.sum() > 0 else np.full(len(flat), 1 / len(flat))
    return np.asarray(shares.reshape(noisy.shape))


def _bands(code: ColumnCode, shares: Floats, least: float, *, is_root: bool) -> Bands:
    """Neighbouring tokens in bands of at least `least` of the rows; a common token by itself."""
    values = code.token_values(0)
    if values is None:
        # Unordered: the rare ones share a band, and a root's classes are never merged.
        common = np.flatnonzero((shares >= least) | is_root)
        bands = np.full(len(shares), len(common), dtype=np.int64)
        bands[common] = np.arange(len(common))
        return bands
    bands = np.zeros(len(shares), dtype=np.int64)
    band, mass = 0, 0.0
    for token in np.argsort(values, kind="stable").tolist():
        is_apart = shares[token] >= least or np.isnan(values[token])
        if mass and (is_apart or mass >= least):
            band, mass = band + 1, 0.0
        bands[token] = band
        mass += max(shares[token], 1e-12)
        if is_apart:
            band, mass = band + 1, 0.0
    return np.unique(bands, return_inverse=True)[1].astype(np.int64)


def _fitted(joint: Floats, rows: Floats, columns: Floats) -> Floats:
    """The joint shares scaled to both marginals in turn (iterative proportional fitting)."""
    joint = joint + 1e-9
    for _ in range(_FITTING_ROUNDS):
        joint = joint * (rows / np.maximum(joint.sum(1), 1e-12))[:, None]
        joint = joint * (columns / np.maximum(joint.sum(0), 1e-12))[None, :]
    fitted: Floats = joint / joint.sum()
    return fitted


def _in_bands(shares: Floats, bands: Bands) -> Floats:
    return np.asarray(np.bincount(bands, weights=shares), dtype=np.float64)
