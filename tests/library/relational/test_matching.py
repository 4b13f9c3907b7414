"""Parents found for rows: slots are used up exactly, wishes are met where they can be."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsynth.relational.matching import fitted_slots, match, telling_columns

RNG = np.random.default_rng(3)


def test_rows_get_parents_that_are_as_wished() -> None:
    wishes = np.array([[0, 1], [1, 1], [0, 2]])
    offers = np.array([[0, 2], [0, 1], [1, 1]])
    found = match(wishes, offers, np.array([1, 1, 1]), RNG, is_single=True)
    assert found.tolist() == [1, 2, 0]


def test_a_wish_that_nobody_meets_is_met_in_its_first_respect() -> None:
    wishes = np.array([[5, 9]])
    offers = np.array([[4, 9], [5, 1]])
    assert match(wishes, offers, np.array([1, 1]), RNG, is_single=True).tolist() == [1]


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.integers(0, 60), st.booleans())
def test_every_row_gets_a_parent_and_slots_add_up(
    slots: list[int], needed: int, is_single: bool
) -> None:
    rng = np.random.default_rng(0)
    given_slots = np.array(slots)
    room = fitted_slots(given_slots, needed, rng, is_single=is_single)
    assert room.sum() == needed
    assert (room >= 0).all()
    wishes, offers = rng.integers(0, 3, (needed, 2)), rng.integers(0, 3, (len(slots), 2))
    found = match(wishes, offers, given_slots, np.random.default_rng(0), is_single=is_single)
    counts = np.bincount(found, minlength=len(slots))
    assert counts.sum() == needed
    if needed == sum(slots):
        assert counts.tolist() == slots


def test_no_parent_has_two_rows_while_there_are_enough() -> None:
    room = fitted_slots(np.array([1, 0, 0, 1]), 4, RNG, is_single=True)
    assert room.tolist() == [1, 1, 1, 1]


def test_columns_that_tell_something_are_wished_for_and_the_others_not() -> None:
    other = RNG.integers(0, 5, 3000)
    copied = np.where(RNG.random(3000) < 0.9, other, RNG.integers(0, 5, 3000))
    weak = np.where(RNG.random(3000) < 0.4, other, RNG.integers(0, 5, 3000))
    noise = RNG.integers(0, 40, 3000)
    assert telling_columns([noise, weak, copied], [other]) == [2, 1]
