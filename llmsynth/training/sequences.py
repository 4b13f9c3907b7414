"""How encoded rows become training sequences: columns shuffled, unused places left out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sequences:
    """A batch of shuffled rows.

    tokens: int64 (rows, length), the token before each position.
    places: int64 (rows, length), the place to predict at each position.
    position_of: int64 (places, rows), the position at which each place is predicted.
    """

    tokens: Tensor
    places: Tensor
    position_of: Tensor


class Shuffler:
    """Puts the columns of every row into a fresh random order.

    Args:
        place_sizes: tokens at each place.
        place_columns: int64 (places,), each place's column.
        begin_token: the token before the first one.
        last_column: a column that comes last in a share `last_share` of the rows.
        usual_order: int64 (columns,), an order that a share `usual_share` of the rows takes.
    """

    def __init__(
        self,
        place_sizes: tuple[int, ...],
        place_columns: Tensor,
        begin_token: int,
        *,
        last_column: int | None = None,
        last_share: float = 0.0,
        usual_order: Tensor | None = None,
        usual_share: float = 0.0,
    ) -> None:
        self._starts = torch.tensor([0, *place_sizes[:-1]]).cumsum(0)
        self._columns = place_columns
        self._num_columns = int(place_columns.max()) + 1
        self._begin = begin_token
        self._last_column, self._last_share = last_column, last_share
        self._usual_share = usual_share
        self._usual_keys = None
        if usual_order is not None:
            self._usual_keys = torch.empty(self._num_columns)
            self._usual_keys[usual_order] = torch.linspace(0, 1, self._num_columns)

    def __call__(self, codes: Tensor, generator: torch.Generator) -> Sequences:
        """Shuffle the columns of encoded rows.

        Args:
            codes: int64 (rows, places), token index within each place, negative where unused.
        """
        rows, num_places = codes.shape
        keys = torch.rand(rows, self._num_columns, generator=generator)
        if self._last_column is not None and self._last_share:
            last = torch.rand(rows, generator=generator) < self._last_share
            keys[last, self._last_column] = 1.5
        if self._usual_keys is not None and self._usual_share:
            usual = torch.rand(rows, generator=generator) < self._usual_share
            keys[usual] = self._usual_keys
        unused = codes < 0
        order = (keys[:, self._columns] + 2.0 * unused).argsort(dim=1, stable=True)
        position_of = torch.empty_like(order).scatter_(
            1, order, torch.arange(num_places).expand(rows, -1)
        )
        length = int(num_places - unused.sum(1).min())
        order = order[:, :length]
        written = (codes + self._starts).clamp_(min=0).gather(1, order)[:, :-1]
        begin = torch.full((rows, 1), self._begin)
        return Sequences(torch.cat([begin, written], 1), order, position_of.t())
