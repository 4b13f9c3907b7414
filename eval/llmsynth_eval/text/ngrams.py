"""Runs of words that texts share: n-grams as numbers, and the longest common run from any word."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmsynth_eval.coded_table import Codes
from llmsynth_eval.text.words import WordSequences

NUM_LEVELS = 7
MAX_RUN = 2**NUM_LEVELS - 1


@dataclass(frozen=True, kw_only=True)
class RankedNgrams:
    """Ranks of the n-grams that start at each place, for n = 1, 2, 4 ... 64.

    A text is followed by one end mark of its own, so no n-gram that passes a text's end equals
    another. Two n-grams of any length up to 127 are equal when their parts' ranks are.

    Source: prefix doubling, Manber and Myers (1993), SIAM Journal on Computing 22, 935-948.
    """

    levels: tuple[Codes, ...]
    places: Codes
    """Place of each word of the sequences among words and end marks."""
    room: Codes
    """For each word, how many words of its text are left, itself included."""

    def numbers(self, length: int) -> tuple[Codes, NDArray[np.bool_]]:
        """A number per word for the n-gram that starts there, and whether its text has room."""
        level = int(np.log2(length))
        ranks = self.levels[level]
        later = np.minimum(self.places + length - 2**level, len(ranks) - 1)
        pairs = ranks[self.places] * (int(ranks.max()) + 1) + ranks[later]
        _, numbers = np.unique(pairs, return_inverse=True)
        return numbers.astype(np.int64), self.room >= length


def rank_ngrams(sequences: WordSequences) -> RankedNgrams:
    """Rank all n-grams of texts; seven sorts of all words."""
    num_texts, lengths = sequences.num_texts, sequences.lengths
    places = np.arange(len(sequences.words)) + sequences.text_numbers
    ranks = np.empty(len(sequences.words) + num_texts, dtype=np.int64)
    ranks[places] = sequences.words
    ends = sequences.starts[1:] + np.arange(num_texts)
    ranks[ends] = sequences.num_distinct + np.arange(num_texts)
    levels = [ranks]
    for level in range(NUM_LEVELS - 1):
        later = np.minimum(np.arange(len(ranks)) + 2**level, len(ranks) - 1)
        pairs = levels[-1] * (int(levels[-1].max()) + 1) + levels[-1][later]
        levels.append(np.unique(pairs, return_inverse=True)[1].astype(np.int64))
    position = np.arange(len(sequences.words)) - np.repeat(sequences.starts[:-1], lengths)
    return RankedNgrams(
        levels=tuple(levels), places=places, room=np.repeat(lengths, lengths) - position
    )


def longest_runs(ngrams: RankedNgrams, is_reference: NDArray[np.bool_]) -> Codes:
    """For each word, the longest run from there that some reference text holds; at most 127.

    Args:
        is_reference: per word, whether its text is a reference; a reference's own words are
            compared with themselves.
    """
    marks = np.zeros(len(ngrams.levels[0]), dtype=bool)
    marks[ngrams.places] = is_reference
    order = np.argsort(ngrams.levels[-1], kind="stable")
    steps = np.arange(len(order))
    before = np.maximum.accumulate(np.where(marks[order], steps, -1))
    after = np.minimum.accumulate(np.where(marks[order], steps, len(order))[::-1])[::-1]
    place_in_order = np.empty(len(order), dtype=np.int64)
    place_in_order[order] = steps
    mine = place_in_order[ngrams.places]
    found = np.zeros(len(ngrams.places), dtype=np.int64)
    for neighbour in (before[mine], after[mine]):
        there = (neighbour >= 0) & (neighbour < len(order))
        other = order[np.clip(neighbour, 0, len(order) - 1)]
        found = np.maximum(found, np.where(there, _common(ngrams, other), 0))
    return np.minimum(found, ngrams.room)


def _common(ngrams: RankedNgrams, other: Codes) -> Codes:
    """Length of the run that starts both at each word and at another place."""
    here, last = ngrams.places.copy(), len(ngrams.levels[0]) - 1
    other, length = other.copy(), np.zeros(len(here), dtype=np.int64)
    for level in range(len(ngrams.levels) - 1, -1, -1):
        ranks = ngrams.levels[level]
        same = ranks[np.minimum(here, last)] == ranks[np.minimum(other, last)]
        same &= (here <= last) & (other <= last)
        for moved in (here, other, length):
            moved[same] += 2**level
    return length
