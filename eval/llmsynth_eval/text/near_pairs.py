"""Pairs of texts that say the same in nearly the same words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein
from scipy.sparse import csr_array

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import Codes
from llmsynth_eval.text.words import WordSequences

MIN_WORDS = 10
MIN_LIKENESS = 0.8
MIN_SHARED_WORDS = 0.5
ROUNDING = 1e-9
FEW_TEXTS = 6_000
MAX_TEXTS_OF_WORD = 500
BLOCK_CELLS = 4_000_000
# Characters between U+D800 and U+DFFF are no characters; word numbers pass over them.
SURROGATES = range(0xD800, 0xE000)
NUM_CHARACTERS = 1_100_000


def near_pairs(sequences: WordSequences, keys: Codes) -> tuple[Codes, Floats]:
    """Pairs of different texts of at least ten words of which 80% are alike, and how alike.

    Likeness is 1 less the Levenshtein distance in words over the longer length, so two words
    changed in a text of ten are .8. Candidates share half of their distinct words; above
    6,000 texts, words that more than 500 texts hold do not count for that.

    Returns:
        Pairs of text numbers of shape (pairs, 2), the smaller first, and likeness per pair.
    """
    long = np.flatnonzero(sequences.lengths >= MIN_WORDS)
    candidates = _candidates(sequences.presence[long], long)
    candidates = candidates[keys[candidates[:, 0]] != keys[candidates[:, 1]]]
    if not len(candidates):
        return np.empty((0, 2), dtype=np.int64), np.empty(0)
    coded = {int(text): _as_string(sequences, int(text)) for text in np.unique(candidates)}
    alike = process.cpdist(
        [coded[int(text)] for text in candidates[:, 0]],
        [coded[int(text)] for text in candidates[:, 1]],
        scorer=Levenshtein.normalized_similarity,
        dtype=np.float64,
    )
    kept = alike >= MIN_LIKENESS - ROUNDING
    return candidates[kept], alike[kept]


def _candidates(presence: csr_array, texts: Codes) -> Codes:
    if len(texts) < 2:
        return np.empty((0, 2), dtype=np.int64)
    frequency = presence.sum(axis=0)
    useful = frequency > 1
    if len(texts) > FEW_TEXTS:
        useful &= frequency <= MAX_TEXTS_OF_WORD
    kept = presence[:, np.flatnonzero(useful)]
    # A word that no other text holds still lengthens its text.
    sizes = np.asarray(kept.sum(axis=1) + presence[:, np.flatnonzero(frequency == 1)].sum(axis=1))
    turned = kept.T.tocsr()
    rows = max(1, BLOCK_CELLS // len(texts))
    found = [
        _block(kept[start : start + rows], turned, sizes, start)
        for start in range(0, len(texts), rows)
    ]
    pairs: Codes = texts[np.concatenate(found)]
    return pairs


def _block(block: csr_array, turned: csr_array, sizes: NDArray[np.int64], start: int) -> Codes:
    shared = (block @ turned).tocoo()
    first, second = shared.coords[0].astype(np.int64) + start, shared.coords[1].astype(np.int64)
    longer = np.maximum(sizes[first], sizes[second])
    kept = (first < second) & (shared.data >= MIN_SHARED_WORDS * longer)
    return np.stack((first[kept], second[kept]), axis=1)


def _as_string(sequences: WordSequences, text: int) -> str:
    """A text with one character per word, which is what the distance library compares fastest."""
    words = sequences.words[sequences.starts[text] : sequences.starts[text + 1]] % NUM_CHARACTERS
    points = np.where(words < SURROGATES.start, words, words + len(SURROGATES))
    return "".join(map(chr, points))
