"""The words of all three tables together, and the links between their texts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from llmsynth_eval.coded_table import Codes
from llmsynth_eval.text.link_test import Links, shared_items
from llmsynth_eval.text.near_pairs import near_pairs
from llmsynth_eval.text.ngrams import RankedNgrams, rank_ngrams
from llmsynth_eval.text.text_comparison import ROLES, Role, TextComparison
from llmsynth_eval.text.words import WordSequences, text_keys, word_sequences

MIN_WORDS = 6
SPAN_WORDS = 13


@dataclass(frozen=True, kw_only=True)
class PooledTexts:
    """Train, synthetic and holdout texts, one after the other, as word numbers."""

    sequences: WordSequences
    role: Codes
    """0 train, 1 synthetic, 2 holdout, per text."""

    def is_of(self, role: Role) -> NDArray[np.bool_]:
        """Which texts are of a table."""
        mask: NDArray[np.bool_] = self.role == ROLES.index(role)
        return mask

    @cached_property
    def keys(self) -> Codes:
        """A number per text; texts of equal words share it."""
        return text_keys(self.sequences)

    @cached_property
    def ngrams(self) -> RankedNgrams:
        return rank_ngrams(self.sequences)

    @cached_property
    def near(self) -> Codes:
        """Pairs of near-copies among all texts, shape (pairs, 2)."""
        return near_pairs(self.sequences, self.keys)[0]

    @property
    def near_links(self) -> Links:
        """Every pair of near-copies as an item of its own."""
        return Links(texts=self.near.ravel(), items=np.repeat(np.arange(len(self.near)), 2))

    @property
    def exact_links(self) -> Links:
        """Whole texts of six or more words that repeat."""
        long = np.flatnonzero(self.sequences.lengths >= MIN_WORDS)
        return shared_items(long, self.keys[long])

    @property
    def span_links(self) -> Links:
        """Runs of 13 words that texts share which are neither equal nor near-copies."""
        numbers, has_room = self.ngrams.numbers(SPAN_WORDS)
        spans = shared_items(self.sequences.text_numbers[has_room], numbers[has_room])
        if not len(spans.texts):
            return spans
        group = self._alike_groups()[spans.texts]
        size = int(spans.items.max()) + 1
        least, most = np.full(size, len(self.role)), np.full(size, -1)
        np.minimum.at(least, spans.items, group)
        np.maximum.at(most, spans.items, group)
        kept = (least < most)[spans.items]
        return shared_items(spans.texts[kept], spans.items[kept])

    def _alike_groups(self) -> Codes:
        """Texts joined by equality or nearness: runs within such a group are its own finding."""
        _, first = np.unique(self.keys, return_index=True)
        pairs = np.concatenate(
            (self.near, np.stack((np.arange(len(self.keys)), first[self.keys]), 1))
        )
        shape = (len(self.keys), len(self.keys))
        graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=shape)
        groups: Codes = connected_components(graph, directed=False)[1].astype(np.int64)
        return groups


def pool(comparison: TextComparison) -> PooledTexts:
    """Split the texts of all tables into words."""
    texts = [comparison.texts(role) for role in ROLES]
    return PooledTexts(
        sequences=word_sequences([text for part in texts for text in part]),
        role=np.repeat(np.arange(3), [len(part) for part in texts]),
    )
