"""Cuts texts into the fewest pieces of a vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer
from tokenizers.models import Unigram

from llmsynth.codec.column_code import SKIPPED

UNSPELLABLE = -2
"""First piece of a text that has a character outside the vocabulary."""
_UNKNOWN = "\U0010ffff"
"""A code point that is no character; only a name in the vocabulary."""


class TextSegmentation:
    """Spells texts with as few pieces as possible.

    Under equal scores the likeliest path of a unigram model is the shortest one, so what was
    written with some pieces never takes more of them when it is spelled again.

    Args:
        pieces: texts that differ; every one-character piece makes its character spellable.
    """

    def __init__(self, pieces: Sequence[str]) -> None:
        model = Unigram([(_UNKNOWN, 0.0), *((piece, -1.0) for piece in pieces)], unk_id=0)
        self._tokenizer = Tokenizer(model)

    def pieces_of(self, texts: Sequence[str]) -> list[list[int]]:
        """Indices of each text's pieces, in order; [UNSPELLABLE] where it cannot be spelled."""
        found = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [
            [UNSPELLABLE] if 0 in encoding.ids else [token - 1 for token in encoding.ids]
            for encoding in found
        ]

    def table(self, texts: Sequence[str], width: int) -> npt.NDArray[np.int32]:
        """Pieces as int32 (texts, width), SKIPPED behind the last; longer texts are cut."""
        out = np.full((len(texts), width), SKIPPED, dtype=np.int32)
        for row, pieces in enumerate(self.pieces_of(texts)):
            out[row, : len(pieces)] = pieces[:width]
        return out
