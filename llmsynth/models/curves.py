"""Training with ordered tokens tied to smooth curves, so that neighbours learn from each other.

A number's tokens are many and each is rare; alone, they overfit. While training, each such token's
embedding and output row is a smooth function of its rank plus a small part of its own. Afterwards
both fold into plain tables, and an ordinary `CompactModel` remains.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from llmsynth.models.compact import CompactModel, CompactShape

_WAVES = 12
LEAST_OWN_PART = 0.03
"""A token's own part overfits where it is rare: with .2, held-out loss on 1,500 rows of
california_housing was 51.4 nats a row, with .03 50.7 (benchmarks/RESULTS.md, "What was tried")."""
_ROWS_OF_ITS_OWN = 300.0
"""Rows at which a token's own part learns with half the speed that the least part leaves."""


def rank_waves(values: npt.NDArray[np.float64], counts: npt.NDArray[np.float64]) -> Tensor:
    """Cosines of each token's mid-rank in the data: float32 (tokens, 12).

    A token takes up the square root of its rows on the rank line, so that a spike (92% zeros) does
    not press all other values together; with plain ranks Adult's TSTR AUC fell by .004.

    Tokens without a place on the number line (a missing cell) get zeros, and stay on their own.

    Args:
        values: float64 (tokens,), where each token lies; NaN where nowhere.
        counts: float64 (tokens,), how many rows hold it.
    """
    order = np.argsort(values, kind="stable")
    ordered = np.sqrt(counts[order] + 1e-3)
    ordered[np.isnan(values[order])] = 0
    rank = np.empty(len(values))
    rank[order] = (np.cumsum(ordered) - ordered / 2) / max(ordered.sum(), 1e-9)
    waves = np.cos(np.pi * rank[:, None] * np.arange(1, _WAVES + 1))
    waves[np.isnan(values)] = 0
    return torch.from_numpy(waves * math.sqrt(2)).float()


def own_parts(counts: npt.NDArray[np.float64], least: float = LEAST_OWN_PART) -> Tensor:
    """How fast each token's own part learns beside an unordered token's row; float32 (tokens,).

    From `least` for a token without rows towards 1: a spike of many rows stands for itself.
    """
    grown = counts / (counts + _ROWS_OF_ITS_OWN)
    return torch.from_numpy(least + (1 - least) * grown).float()


class CurvedModel(CompactModel):
    """A compact model in training, with curves for the places in `waves`.

    Args:
        waves: place to float32 (tokens, 12) from `rank_waves`.
        own_of: place to float32 (tokens,) from `own_parts`; the least part when omitted.
    """

    def __init__(
        self,
        shape: CompactShape,
        waves: Mapping[int, Tensor],
        own_of: Mapping[int, Tensor] | None = None,
    ) -> None:
        super().__init__(shape)
        self._curved = {place: index for index, place in enumerate(sorted(waves))}
        count = len(self._curved)
        self.embedding_curves = nn.Parameter(torch.randn(count, _WAVES, shape.hidden_size))
        self.head_curves = nn.Parameter(torch.zeros(count, _WAVES, shape.hidden_size))
        with torch.no_grad():
            # Lower waves carry more, so that neighbours start alike; unit variance in all.
            fall = 1 / torch.arange(1, _WAVES + 1)
            self.embedding_curves.mul_((fall / fall.norm())[:, None])
        own = torch.ones(shape.vocabulary_size, 1)
        for place, index in self._curved.items():
            self.register_buffer(f"waves_{index}", waves[place])
            ordered = waves[place].abs().sum(1) > 0
            start = self.place_starts[place]
            parts = torch.full((len(ordered),), LEAST_OWN_PART)
            if own_of is not None:
                parts = own_of[place]
            own[start : start + len(ordered), 0][ordered] = parts[ordered]
        self.register_buffer("own", own)
        slices = [self.tokens_at(place) for place in self._curved]
        starts = [range(tokens.start, tokens.stop) for tokens in slices]
        curved = torch.tensor([token for tokens in starts for token in tokens], dtype=torch.int64)
        self.register_buffer("curved_tokens", curved, persistent=False)

    def token_table(self) -> Tensor:
        return self._curved_table(self.embedding * self._own(), self.embedding_curves)

    def head_table(self) -> Tensor:
        own = self._own()[: self.shape.num_tokens]
        return self._curved_table(self.head * own, self.head_curves)

    def _curved_table(self, table: Tensor, curves: Tensor) -> Tensor:
        if not self._curved:
            return table
        # Unbound, as the gradient of `curves[index]` would be as large as all curves.
        rows = [self._waves(i) @ curve for i, curve in enumerate(curves.unbind(0))]
        return table.index_add(0, self.get_buffer("curved_tokens"), torch.cat(rows))

    def head_rows(self, place: int) -> Tensor:
        tokens = self.tokens_at(place)
        rows = self.head[tokens] * self._own()[tokens]
        index = self._curved.get(place)
        return rows if index is None else rows + self._waves(index) @ self.head_curves[index]

    @torch.no_grad()
    def start_head(self, place: int, rows: Tensor) -> None:
        tokens = self.tokens_at(place)
        self.head[tokens] = rows / self._own()[tokens]

    @torch.no_grad()
    def folded(self) -> CompactModel:
        """The same function as a plain model."""
        plain = CompactModel(self.shape)
        plain.load_state_dict(
            {name: value for name, value in self.state_dict().items() if name in plain.state_dict()}
        )
        plain.embedding.copy_(self.token_table())
        for place in range(len(self.shape.place_sizes)):
            if self.shape.owner(place) == place:
                plain.start_head(place, self.head_rows(place))
        return plain.eval()

    def curve_of(self, place: int) -> tuple[int, Tensor] | None:
        """The curve of a place by number, and its waves (tokens, 12); None for an uncurved one."""
        index = self._curved.get(place)
        return None if index is None else (index, self._waves(index))

    def _own(self) -> Tensor:
        return self.get_buffer("own")

    def _waves(self, index: int) -> Tensor:
        return self.get_buffer(f"waves_{index}")
