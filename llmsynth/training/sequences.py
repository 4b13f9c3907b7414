"""How encoded rows become training sequences: columns ordered, unused places left out."""

from __future__ import annotations

from collections.abc import Sequence
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


GIVEN_POWER = 2.0
"""Favours few given columns: conditions mostly name one or a few."""


class Shuffler:
    """Writes the columns of every row in a fresh order.

    Sampling always writes the given columns first and the others in one usual order, so these are
    the orders to learn: in a share of the rows no column is given, in the others a random subset of
    random size is. Uniformly random orders spread the same rows over far more contexts than
    sampling ever meets: after 8 epochs on half of Adult the synthetic table's shape error was .018
    with them and .008 this way.

    Args:
        place_sizes: tokens at each place.
        place_columns: int64 (places,), each place's column.
        begin_token: the token before the first one.
        usual_order: int64 (columns,), the columns as they are written when none is given.
        none_given_share: share of rows in which no column is given.
        num_context: how many columns, the first of the usual order, are given in every row.
        given_power: of the other rows, the share of columns that are given is a uniform number to
            this power: 1 for all numbers alike.
        token_starts: the first token of each place; one place behind the other when omitted.
    """

    def __init__(
        self,
        place_sizes: Sequence[int],
        place_columns: Tensor,
        begin_token: int,
        *,
        usual_order: Tensor,
        none_given_share: float,
        num_context: int = 0,
        given_power: float = GIVEN_POWER,
        token_starts: Sequence[int] | None = None,
    ) -> None:
        self._starts = (
            torch.tensor([0, *place_sizes[:-1]]).cumsum(0)
            if token_starts is None
            else torch.tensor(list(token_starts), dtype=torch.int64)
        )
        self._columns = place_columns
        self._begin = begin_token
        self._none_given_share, self._given_power = none_given_share, given_power
        self._rank = torch.zeros(int(place_columns.max()) + 1)
        self._rank[usual_order] = torch.arange(len(usual_order)) / len(usual_order)
        self._is_context = torch.zeros(len(self._rank), dtype=torch.bool)
        self._is_context[usual_order[:num_context]] = True

    def __call__(self, codes: Tensor, generator: torch.Generator) -> Sequences:
        """Order the columns of encoded rows.

        Args:
            codes: int64 (rows, places), token index within each place, negative where unused.
        """
        rows, num_places = codes.shape
        share_given = torch.rand(rows, 1, generator=generator).pow(self._given_power)
        none = torch.rand(rows, 1, generator=generator) < self._none_given_share
        is_given = torch.rand(rows, len(self._rank), generator=generator) < share_given
        keys = self._rank - (is_given & ~none).float().masked_fill(self._is_context, 2.0)
        unused = codes < 0
        order = (keys[:, self._columns] + 4.0 * unused).argsort(dim=1, stable=True)
        position_of = torch.empty_like(order).scatter_(
            1, order, torch.arange(num_places).expand(rows, -1)
        )
        length = int(num_places - unused.sum(1).min())
        order = order[:, :length]
        written = (codes + self._starts).clamp_(min=0).gather(1, order)[:, :-1]
        begin = torch.full((rows, 1), self._begin)
        return Sequences(torch.cat([begin, written], 1), order, position_of.t())
