"""In which order a row's columns are learned, and which of them are only read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class RowOrders:
    """How orders are drawn, anew for every row of every epoch.

    structured, texts: column indices of the two kinds.
    is_joint: whether another model writes the structured columns: they are then read at no loss
        before the texts, or learned after them, so that either can be given.
    texts_first_share: share of rows in which the texts come first. Where one model writes
        everything, half of the other rows have the texts last, and the rest any order.
    """

    structured: tuple[int, ...]
    texts: tuple[int, ...]
    is_joint: bool
    texts_first_share: float = 0.2

    def draw(self, rng: np.random.Generator) -> tuple[list[int], int]:
        """An order of all columns, and how many of the first ones are context."""
        structured = rng.permutation(self.structured).astype(int).tolist()
        texts = rng.permutation(self.texts).astype(int).tolist()
        chance = rng.random()
        texts_first = bool(structured) and chance < self.texts_first_share
        if self.is_joint:
            if texts_first:
                return texts + structured, len(texts)
            return structured + texts, len(structured)
        if texts_first:
            return texts + structured, 0
        if not texts or chance < (1 + self.texts_first_share) / 2:
            return structured + texts, 0
        return rng.permutation([*structured, *texts]).astype(int).tolist(), 0
