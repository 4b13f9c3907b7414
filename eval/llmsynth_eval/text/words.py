"""Texts as sequences of word numbers, one vocabulary for all tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from llmsynth_eval.coded_table import Codes

WORD = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """A text's words in small letters: what is copied is compared without case and signs."""
    return WORD.findall(text.casefold())


@dataclass(frozen=True, kw_only=True)
class WordSequences:
    """The words of many texts, one text after the other."""

    words: Codes
    """Word numbers of all texts, int64."""
    starts: Codes
    """Where each text starts, and the total; shape (texts + 1,)."""
    num_distinct: int

    @property
    def num_texts(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def lengths(self) -> Codes:
        """Words of each text."""
        lengths: Codes = np.diff(self.starts)
        return lengths

    @cached_property
    def text_numbers(self) -> Codes:
        """The text that each word belongs to."""
        numbers: Codes = np.repeat(np.arange(self.num_texts), self.lengths)
        return numbers

    @cached_property
    def presence(self) -> csr_array:
        """1 where a text holds a word, int32; shape (texts, distinct words)."""
        ones = np.ones(len(self.words), dtype=np.int32)
        shape = (self.num_texts, max(1, self.num_distinct))
        matrix = csr_array((ones, (self.text_numbers, self.words)), shape=shape)
        matrix.sum_duplicates()
        matrix.data[:] = 1
        return matrix


def word_sequences(texts: Sequence[str]) -> WordSequences:
    """Number the words of texts by first appearance."""
    split = [words_of(text) for text in texts]
    flat = [word for words in split for word in words]
    codes, names = pd.factorize(np.array(flat, dtype=object))
    starts = np.concatenate(([0], np.cumsum([len(words) for words in split])))
    return WordSequences(
        words=codes.astype(np.int64), starts=starts.astype(np.int64), num_distinct=len(names)
    )


def text_keys(sequences: WordSequences) -> Codes:
    """One number a text, the same for texts of equal words."""
    words, starts = sequences.words, sequences.starts
    keys = np.array([words[start:end].tobytes() for start, end in pairwise(starts)], dtype=object)
    codes, _ = pd.factorize(keys)
    return codes.astype(np.int64)
