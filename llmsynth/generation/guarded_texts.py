"""Draws spelled texts again, under their row's other cells, where a guard forbids them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from llmsynth.engines.compact_sampler import CompactSampler, Sharpness
from llmsynth.engines.random_draws import uniforms
from llmsynth.generation.conditions import TO_DRAW
from llmsynth.generation.text_guard import TextGuard

_MOST_DRAWS = 8
_PATIENT_DRAWS = 3
_WARMER = 1.4
"""Temperature behind the first draws: a row that keeps repeating one text has to leave it."""
_STRIDE = 1 << 52
"""Row numbers of a redraw lie this far apart, and beyond those of whole rows drawn again."""


@dataclass
class GuardedTexts:
    """One run's guard, and its account.

    Attributes:
        redrawn: cells that were drawn again.
        copied: cells that were a forbidden text in every draw, and stay one.
    """

    sampler: CompactSampler
    guard: TextGuard
    order: Sequence[int]
    seed: int
    redrawn: int = 0
    copied: int = 0

    def checked(
        self, codes: Tensor, numbers: npt.NDArray[np.int64], sharpness: Sharpness, given: set[int]
    ) -> Tensor:
        """The rows with their forbidden texts drawn again.

        Args:
            codes: int64 (rows, places), changed in place.
            numbers: int64 (rows,), which pick the random numbers.
            given: columns that are given, and stay.
        """
        names = self.sampler.language.schema.names
        for name in self.guard.columns:
            if name in names and (column := names.index(name)) not in given:
                self._check_column(codes, numbers, sharpness, column)
        return codes

    def _check_column(
        self, codes: Tensor, numbers: npt.NDArray[np.int64], sharpness: Sharpness, column: int
    ) -> None:
        places = self.sampler.language.places(column)
        left = np.flatnonzero(self._forbidden(codes, numbers, column, 0))
        self.redrawn += len(left)
        others = [c for c in self.order if c != column]
        for attempt in range(1, _MOST_DRAWS + 1):
            if not len(left):
                return
            given = codes[left].clone()
            given[:, places.start : places.stop] = TO_DRAW
            own = numbers[left] + attempt * _STRIDE
            warmth = 1.0 if attempt <= _PATIENT_DRAWS else _WARMER
            drawn = self.sampler.draw(
                torch.from_numpy(own),
                [*others, column],
                seed=self.seed,
                given=given,
                sharpness=Sharpness(
                    temperature=sharpness.temperature * warmth, top_p=sharpness.top_p
                ),
            )
            codes[left, places.start : places.stop] = drawn[:, places.start : places.stop]
            left = left[self._forbidden(codes[left], numbers[left], column, attempt)]
        self.copied += len(left)

    def _forbidden(
        self, codes: Tensor, numbers: npt.NDArray[np.int64], column: int, attempt: int
    ) -> npt.NDArray[np.bool_]:
        """Rows whose text is a rare training text, less the share that is let through."""
        language = self.sampler.language
        places, code = language.places(column), language.codes[column]
        cells = code.decode(codes[:, places.start : places.stop].numpy().astype(np.int32))
        known = self.guard.knows(code.column.name, cells.to_pylist())
        share = self.guard.accepted.get(code.column.name, 0.0)
        if not share or not known.any():
            return known
        step = len(language.place_sizes) + column
        rows = torch.from_numpy(numbers + attempt * _STRIDE)
        chosen = uniforms(self.seed, rows, step).numpy() >= share
        forbidden: npt.NDArray[np.bool_] = known & chosen
        return forbidden
