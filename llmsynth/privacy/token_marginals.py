"""Noisy counts of a row language's tokens, alone and beside a root column."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from llmsynth.codec.column_code import SKIPPED, Tokens
from llmsynth.codec.row_language import RowLanguage
from llmsynth.privacy.noisy_counts import NoisyCounts
from llmsynth.privacy.shrinkage import shrunk

_MOST_BANDS = 32
_LEAST_BAND = 4.0
"""Noisy rows a band must hold, in standard deviations of the counts beside the root."""
_FITTING_ROUNDS = 20
_EVEN = 0.05
"""Share of the rows that may lie elsewhere in digits that count as spread evenly."""

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

    @property
    def columns(self) -> list[int]:
        """Indices of the columns that have tokens."""
        return [c for c in range(len(self.language.codes)) if self.language.places(c)]

    def first_shares(self, column: int) -> Floats:
        """Shares of the tokens at a column's first place."""
        shares = self.shares[self.language.places(column).start]
        assert shares is not None
        return shares

    @property
    def root_shares(self) -> Floats:
        """Shares of the root's bands; a single one where there is no root."""
        if self.root is None:
            return np.ones(1)
        return in_bands(self.first_shares(self.root), self.bands[self.root])

    def root_bands(self, codes: Tokens) -> Bands:
        """The root's band in each row; 0 where there is no root, negative where it is not known."""
        if self.root is None:
            return np.zeros(len(codes), dtype=np.int64)
        first = codes[:, self.language.places(self.root).start]
        return np.where(first >= 0, self.bands[self.root][np.maximum(first, 0)], SKIPPED)

    def given_root(self, column: int) -> Floats:
        """Shares of a column's first tokens given the root's band; (root bands, tokens)."""
        shares = self.first_shares(column)
        joint = self.joint[column] if self.joint else None
        if joint is None:
            return np.tile(shares, (len(self.root_shares), 1))
        bands = self.bands[column]
        within = in_bands(shares, bands)[bands]
        by_token = np.divide(shares, within, out=np.zeros_like(shares), where=within > 0)
        chances = joint[:, bands] * by_token
        totals = chances.sum(1, keepdims=True)
        return np.where(totals > 0, chances / np.maximum(totals, 1e-300), shares)


def measure_alone(
    codes: Tokens,
    language: RowLanguage,
    unlearned: frozenset[int],
    counts: NoisyCounts,
    digits: frozenset[int] = frozenset(),
) -> TokenMarginals:
    """Noisy shares of the tokens at every learned place.

    Args:
        codes: int32 (rows, places), encoded rows; SKIPPED where a place is not used.
        digits: places that are not learned if their tokens seem to be spread evenly.
    """
    shares: list[Floats | None] = []
    for place, size in enumerate(language.place_sizes.tolist()):
        if place in unlearned:
            shares.append(None)
            continue
        noisy = counts.closed(codes[:, place], size)
        is_noise = place in digits and _is_even(noisy, counts.deviation)
        shares.append(None if is_noise else as_shares(noisy))
    return TokenMarginals(language, shares)


def _is_even(noisy: Floats, deviation: float) -> bool:
    """Whether counts lie no farther from an even spread than noise and chance, and a little."""
    total = max(float(noisy.sum()), 0.0)
    expected = total / len(noisy)
    by_chance = math.sqrt(2 / math.pi) * math.sqrt(deviation**2 + expected) * len(noisy)
    return float(np.abs(noisy - expected).sum()) - by_chance <= _EVEN * total


def measure_beside(
    marginals: TokenMarginals, codes: Tokens, root: int, num_rows: int, counts: NoisyCounts
) -> TokenMarginals:
    """The marginals with noisy counts of each column's bands beside the root's."""
    language = marginals.language
    columns = range(len(language.codes))
    least = max(_LEAST_BAND * counts.deviation, num_rows / _MOST_BANDS) / max(num_rows, 1)
    bands = [
        bands_of(
            marginals.first_shares(c),
            language.codes[c].token_values(0),
            0.0 if c == root and language.codes[c].token_values(0) is None else least,
        )
        if language.places(c)
        else np.zeros(0, dtype=np.int64)
        for c in columns
    ]
    root_codes = codes[:, language.places(root).start]
    root_shares = in_bands(marginals.first_shares(root), bands[root])
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
        own_shares = in_bands(marginals.first_shares(column), bands[column])
        is_ordered = [language.codes[column].token_values(0) is not None]
        likely = np.stack(
            [
                shrunk(row, [share * num_rows * own_shares], is_ordered, counts.deviation)
                for row, share in zip(noisy, root_shares, strict=True)
            ]
        )
        joint.append(fitted(likely / likely.sum(), root_shares, own_shares))
    return TokenMarginals(language, marginals.shares, root, bands, joint)


def num_learned(language: RowLanguage, unlearned: frozenset[int]) -> int:
    """How many histograms `measure_alone` asks for."""
    return len(language.place_sizes) - len(unlearned)


def num_beside(language: RowLanguage) -> int:
    """How many histograms `measure_beside` asks for."""
    return sum(1 for c in range(len(language.codes)) if language.places(c)) - 1


def as_shares(noisy: Floats) -> Floats:
    """The nearest shares (in squares) to noisy counts: none negative, sum 1."""
    flat = noisy.ravel()
    total = max(float(flat.sum()), 1.0)
    falling = np.sort(flat)[::-1]
    surplus = (np.cumsum(falling) - total) / np.arange(1, len(flat) + 1)
    last = int(np.flatnonzero(falling > surplus).max(initial=0))
    kept = np.clip(flat - surplus[last], 0, None)
    shares = kept / kept.sum() if kept.sum() > 0 else np.full(len(flat), 1 / len(flat))
    return np.asarray(shares.reshape(noisy.shape))


def bands_of(shares: Floats, values: Floats | None, least: float) -> Bands:
    """Tokens in bands of at least `least` of the rows; a common token by itself.

    Args:
        values: where each token lies on the number line, so that neighbours share a band; where
            None, all rare tokens share one.
    """
    if values is None:
        common = np.flatnonzero(shares >= least)
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


def fitted(joint: Floats, rows: Floats, columns: Floats) -> Floats:
    """The joint shares scaled to both marginals in turn (iterative proportional fitting)."""
    joint = joint + 1e-9
    for _ in range(_FITTING_ROUNDS):
        joint = joint * (rows / np.maximum(joint.sum(1), 1e-12))[:, None]
        joint = joint * (columns / np.maximum(joint.sum(0), 1e-12))[None, :]
    return np.asarray(joint / joint.sum())


def in_bands(shares: Floats, bands: Bands) -> Floats:
    """What each band holds together."""
    return np.asarray(np.bincount(bands, weights=shares), dtype=np.float64)
