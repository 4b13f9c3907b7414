"""How many children the rows of a table have, as shares of rows, and drawn counts that meet them.

A model of a few hundred rows draws about as many rows of each count as there were, and chance adds
to that. A drawn set has the learned shares to a row: rows are put in order of their drawn counts,
and those next to a share's end move by one range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from llmsynth.relational.scale import Scale

Counts = npt.NDArray[np.int64]

_MOST_RANGES = 64


@dataclass(frozen=True, kw_only=True)
class CountShares:
    """Shares of parents by ranges of how many children they have.

    scale: ranges of counts; most, the highest count there is.
    parents: how many parents each range held.
    """

    scale: Scale
    parents: tuple[int, ...]
    least: int
    most: int

    @classmethod
    def of(cls, counts: Counts, *, least: int, most: int) -> Self:
        """Shares of real counts.

        Args:
            least, most: bounds of counts that enough rows hold; others lie at them.
        """
        clipped = np.clip(counts, least, most).astype(np.float64)
        scale = Scale.of(clipped, most_bins=_MOST_RANGES)
        parents = np.bincount(scale.bins(clipped), minlength=scale.size)
        return cls(scale=scale, parents=tuple(map(int, parents)), least=least, most=most)

    def met(self, drawn: Counts, rng: np.random.Generator) -> Counts:
        """Drawn counts, as few of them changed as it takes to have the shares.

        Args:
            drawn: int64 (rows,), none below 0.
        """
        ends = np.rint(np.cumsum(self.parents) / max(sum(self.parents), 1) * len(drawn))
        order = np.lexsort((rng.random(len(drawn)), drawn))
        ranges = np.empty(len(drawn), dtype=np.int64)
        ranges[order] = np.searchsorted(ends, np.arange(len(drawn)), side="right")
        cuts = np.floor(np.array(self.scale.cuts)).astype(np.int64)
        low = np.concatenate([[self.least], cuts + 1])
        high = np.concatenate([cuts, [self.most]])
        return np.clip(drawn, low[ranges], high[ranges])

    def to_json(self) -> dict[str, object]:
        """The shares as JSON-ready values."""
        return {
            "cuts": list(self.scale.cuts),
            "parents": list(self.parents),
            "least": self.least,
            "most": self.most,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Self:
        """Shares from `to_json` output.

        Raises:
            KeyError, TypeError: not shares.
        """
        cuts, parents = data["cuts"], data["parents"]
        if not (isinstance(cuts, list) and isinstance(parents, list)):
            raise TypeError(f"expected shares of counts, got {data!r}")
        if len(parents) != len(cuts) + 1:
            raise TypeError(f"expected one share more than cuts, got {data!r}")
        return cls(
            scale=Scale.from_json(cuts),
            parents=tuple(map(int, parents)),
            least=int(str(data["least"])),
            most=int(str(data["most"])),
        )
