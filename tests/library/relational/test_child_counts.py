"""Counts of children: the learned shares to a row, and nothing of single parents."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.relational.child_counts import CountShares

REAL = np.repeat([0, 1, 2], [50, 30, 20]).astype(np.int64)


def shares(real: np.ndarray = REAL) -> CountShares:
    return CountShares.of(real, least=int(real.min()), most=int(real.max()))


def test_drawn_counts_get_the_shares_and_keep_their_order() -> None:
    drawn = np.repeat([0, 1, 2], [60, 10, 30]).astype(np.int64)
    met = shares().met(drawn, np.random.default_rng(0))
    assert np.bincount(met).tolist() == [50, 30, 20]
    assert (met[:60] <= 1).all()  # ten of them move up one
    assert (met[60:70] == 1).all()
    assert (met[70:] >= 1).all()  # ten of them move down one
    assert int((met != drawn).sum()) == 20


def test_counts_that_have_the_shares_stay() -> None:
    met = shares().met(REAL, np.random.default_rng(3))
    assert (met == REAL).all()


def test_twice_the_parents_get_twice_the_counts() -> None:
    met = shares().met(np.zeros(200, dtype=np.int64), np.random.default_rng(0))
    assert np.bincount(met).tolist() == [100, 60, 40]


def test_a_count_of_one_parent_is_in_a_range_with_others() -> None:
    real = np.concatenate([np.repeat(np.arange(5), 20), [37], np.repeat(60, 6)]).astype(np.int64)
    kept = shares(real)
    assert 37 not in kept.scale.cuts
    met = kept.met(real, np.random.default_rng(0))
    assert (met == real).all()


@given(
    st.lists(st.integers(0, 9), min_size=5, max_size=200),
    st.lists(st.integers(0, 12), min_size=1, max_size=300),
)
def test_ranges_hold_their_share_of_any_drawn_counts(real: list[int], drawn: list[int]) -> None:
    kept = shares(np.array(real, dtype=np.int64))
    met = kept.met(np.array(drawn, dtype=np.int64), np.random.default_rng(0))
    found = np.bincount(kept.scale.bins(met.astype(np.float64)), minlength=kept.scale.size)
    wanted = np.array(kept.parents) / len(real) * len(drawn)
    assert np.abs(found - wanted).max() <= 1
    assert met.min() >= kept.least
    assert met.max() <= kept.most


def test_shares_come_back_from_json() -> None:
    assert CountShares.from_json(shares().to_json()) == shares()
    with pytest.raises(TypeError, match="one share more than cuts"):
        CountShares.from_json(shares().to_json() | {"parents": [1]})
