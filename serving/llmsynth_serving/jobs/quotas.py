"""Shares of a column's values as the values of rows, exact in every part that is drawn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

Quotas = Mapping[str, Mapping[str, float]]


def quota_rows(quotas: Quotas, *, first: int, count: int, seed: int) -> pa.Table | None:
    """The given columns of rows `first` to `first + count - 1`; None without quotas.

    The rows hold each value as often as its share of them says, to the nearest row, in an order
    that the seed decides; several columns are combined independently.
    """
    if not quotas:
        return None
    columns = {}
    for number, (name, shares) in enumerate(quotas.items()):
        places = np.repeat(np.arange(len(shares)), _counts(shares, count))
        np.random.default_rng((seed, number, first)).shuffle(places)
        columns[name] = pa.array(list(shares), pa.string()).take(pa.array(places))
    return pa.table(columns)


def _counts(shares: Mapping[str, float], rows: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    ends = np.floor(np.cumsum(list(shares.values())) * rows + 0.5).astype(np.int64)
    ends[-1] = rows
    return np.diff(ends, prepend=0)
