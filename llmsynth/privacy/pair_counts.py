"""Which columns belong together beyond what the root tells of both, and noisy counts of those."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from llmsynth.codec.column_code import Tokens
from llmsynth.privacy.noisy_counts import NoisyCounts
from llmsynth.privacy.shrinkage import shrunk
from llmsynth.privacy.token_marginals import (
    Bands,
    Floats,
    TokenMarginals,
    bands_of,
    fitted,
    in_bands,
)

_MOST_COLUMNS = 60
_SCORE_BAND = 0.1
"""Least share of a band while pairs are scored."""
_MOST_CLASSES = 6
_MOST_BANDS, _FEWEST_BANDS = 24, 3
_NOISE_SHARE = 0.15
"""Bands are as many as let noise make up this share of a pair's counts."""
_ABSOLUTE = math.sqrt(2 / math.pi)
"""Mean size of a standard Gaussian."""
_KEPT_NOISE = 0.5
"""Share of the noise that is taken to be left once counts are shrunk."""

Pair = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class PairShares:
    """Shares of two columns' bands in each class of the root.

    first, second: indices of the columns.
    shares: float64 (classes, bands of the first, bands of the second), summing to 1.
    """

    first: int
    second: int
    shares: Floats


@dataclass(frozen=True, kw_only=True)
class PairTables:
    """The pairs that were counted, the ones that tell most first.

    classes: the class of each of the root's bands.
    bands: one array a column, the band of each of its first tokens.
    """

    classes: Bands
    bands: tuple[Bands, ...]
    pairs: tuple[PairShares, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PairChoice:
    """Pairs that are worth their noise, and how finely to count them.

    num_bands: of each column; fewer where its tokens are fewer.
    """

    pairs: tuple[Pair, ...]
    num_bands: int


def candidates(marginals: TokenMarginals) -> list[Pair]:
    """Pairs of columns other than the root; of the 60 most varied where there are more."""

    def variety(column: int) -> float:
        shares = marginals.first_shares(column)
        return float(-(shares * np.log(np.maximum(shares, 1e-12))).sum())

    columns = [c for c in marginals.columns if c != marginals.root]
    kept = sorted(sorted(columns, key=lambda c: (-variety(c), c))[:_MOST_COLUMNS])
    return list(combinations(kept, 2))


def choose(
    marginals: TokenMarginals,
    codes: Tokens,
    pairs: Sequence[Pair],
    num_rows: int,
    scores: NoisyCounts,
    pair_noise: float,
) -> PairChoice:
    """The pairs whose rows lie farthest from independence given the root.

    A pair's score is the sum over coarse cells of how far its rows lie from what released shares
    say. As these are fixed, one row moves a score by one at most.

    Args:
        num_rows: noisy number of rows.
        scores: one histogram a pair.
        pair_noise: deviation of the noise where one pair is counted; k have sqrt(k) times that.
    """
    if not pairs:
        return PairChoice(pairs=(), num_bands=_FEWEST_BANDS)
    tables = blank_tables(marginals, 1 / _SCORE_BAND)
    given = {c: _by_class(marginals, tables, c) for c in {c for pair in pairs for c in pair}}
    exact, chance = np.zeros(len(pairs)), np.zeros(len(pairs))
    for index, (first, second) in enumerate(pairs):
        expected = num_rows * _independent(given[first], given[second])
        counted = _counted(marginals, tables, codes, (first, second), expected.shape)
        exact[index] = np.abs(counted - expected).sum()
        chance[index] = _ABSOLUTE * np.sqrt(expected).sum()
    noisy = scores.sums(exact) - chance
    order = np.argsort(-noisy, kind="stable")
    return _worth_their_noise(
        [pairs[i] for i in order], noisy[order], tables.classes, num_rows, pair_noise
    )


def _worth_their_noise(
    pairs: Sequence[Pair], scores: Floats, classes: Bands, num_rows: int, pair_noise: float
) -> PairChoice:
    """As many pairs as make the sum of what each tells, less what its noise hides, largest."""
    num_classes = int(classes.max()) + 1
    best, found = 0.0, PairChoice(pairs=(), num_bands=_FEWEST_BANDS)
    for count in range(1, len(pairs) + 1):
        noise = _ABSOLUTE * pair_noise * math.sqrt(count) * num_classes
        bands = math.sqrt(_NOISE_SHARE * num_rows / max(noise, 1e-9))
        bands = int(min(max(bands, _FEWEST_BANDS), _MOST_BANDS))
        gain = float(scores[:count].sum()) - count * _KEPT_NOISE * noise * bands**2
        if gain > best:
            best, found = gain, PairChoice(pairs=tuple(pairs[:count]), num_bands=bands)
    return found


def measure_pairs(
    marginals: TokenMarginals,
    codes: Tokens,
    choice: PairChoice,
    num_rows: int,
    counts: NoisyCounts,
) -> PairTables:
    """Noisy shares of the chosen pairs, in keeping with those of each column beside the root.

    Args:
        num_rows: noisy number of rows.
    """
    tables = blank_tables(marginals, choice.num_bands)
    measured = []
    for first, second in choice.pairs:
        left, right = (_by_class(marginals, tables, c) for c in (first, second))
        shape = (len(left), left.shape[1], right.shape[1])
        noisy = counts.noisy(_counted(marginals, tables, codes, (first, second), shape))
        is_ordered = [
            marginals.language.codes[c].token_values(0) is not None for c in (first, second)
        ]
        shares = np.stack(
            [
                _likely(part, own, other, num_rows, is_ordered, counts.deviation)
                for part, own, other in zip(noisy, left, right, strict=True)
            ]
        )
        measured.append(PairShares(first=first, second=second, shares=shares))
    return PairTables(classes=tables.classes, bands=tables.bands, pairs=tuple(measured))


def _likely(
    noisy: Floats,
    left: Floats,
    right: Floats,
    num_rows: int,
    is_ordered: Sequence[bool],
    deviation: float,
) -> Floats:
    """Shares of two columns' bands in one class of the root, which hold that class's share."""
    sides = [num_rows * left, _unit(right)]
    likely = shrunk(noisy, sides, is_ordered, deviation)
    return np.asarray(left.sum() * fitted(_unit(likely), _unit(left), _unit(right)))


def blank_tables(marginals: TokenMarginals, num_bands: float) -> PairTables:
    """Classes of the root and bands of about equal weight, without any pair."""
    bands = tuple(
        bands_of(
            marginals.first_shares(c), marginals.language.codes[c].token_values(0), 1 / num_bands
        )
        if marginals.language.places(c)
        else np.zeros(0, dtype=np.int64)
        for c in range(len(marginals.language.codes))
    )
    shares = marginals.root_shares
    if len(shares) <= _MOST_CLASSES:
        return PairTables(classes=np.arange(len(shares)), bands=bands)
    assert marginals.root is not None
    ordered = marginals.language.codes[marginals.root].token_values(0) is not None
    places = np.arange(len(shares), dtype=np.float64) if ordered else None
    return PairTables(classes=bands_of(shares, places, 1 / (_MOST_CLASSES - 1)), bands=bands)


def _by_class(marginals: TokenMarginals, tables: PairTables, column: int) -> Floats:
    """Shares of a column's bands in each class of the root, all together 1; (classes, bands)."""
    given = marginals.given_root(column) * marginals.root_shares[:, None]
    bands = tables.bands[column]
    out = np.zeros((int(tables.classes.max()) + 1, int(bands.max()) + 1))
    for root_band, shares in enumerate(given):
        out[tables.classes[root_band]] += in_bands(shares, bands)
    return out


def _independent(first: Floats, second: Floats) -> Floats:
    """Shares of both columns' bands if they depended on the root's class alone."""
    classes = np.maximum(first.sum(1), 1e-12)
    return np.asarray(first[:, :, None] * second[:, None, :] / classes[:, None, None])


def cells_of(
    marginals: TokenMarginals, tables: PairTables, codes: Tokens, pair: Pair, shape: Sequence[int]
) -> Bands:
    """The cell of each row in a pair's table; negative where one of the three is not known."""
    root = marginals.root_bands(codes)
    known = root >= 0
    cell = tables.classes[np.maximum(root, 0)]
    for column, width in zip(pair, shape[1:], strict=True):
        first = codes[:, marginals.language.places(column).start]
        known = known & (first >= 0)
        cell = cell * width + tables.bands[column][np.maximum(first, 0)]
    return np.where(known, cell, -1)


def _counted(
    marginals: TokenMarginals, tables: PairTables, codes: Tokens, pair: Pair, shape: Sequence[int]
) -> Floats:
    cells = cells_of(marginals, tables, codes, pair, shape)
    counted = np.bincount(cells[cells >= 0], minlength=math.prod(shape))
    return counted.astype(np.float64).reshape(shape)


def _unit(shares: Floats) -> Floats:
    """Shares of 1; even ones in a class of the root that seems to have no rows."""
    total = float(shares.sum())
    return shares / total if total > 0 else np.full(shares.shape, 1 / shares.size)
