"""Gaps by hand: settled ones, and ones that would leave no room."""

from __future__ import annotations

import numpy as np

from llmsynth.relational.gaps import fitted_gaps, gaps_of, settled_gaps


def test_the_first_row_of_a_group_has_no_gap() -> None:
    gaps = gaps_of(np.array([3, 5, 5, 1, 9]), np.array([0, 0, 0, 1, 1]))
    assert gaps.tolist()[1:3] == [2, 0]
    assert np.isnan(gaps[[0, 3]]).all()
    assert gaps[4] == 8


def test_the_last_gap_is_what_remains() -> None:
    settled = settled_gaps({"#remaining": np.array([7.0, 4.0])}, 2, np.array([1, 3]))
    assert settled.tolist() == [7, -1]


def test_gaps_that_fit_stay_and_others_leave_room() -> None:
    gap, room, left = np.array([3, 50, 0, 9]), np.array([20, 20, 20, 9]), np.array([2, 4, 3, 1])
    fitted = fitted_gaps(gap, room, left, 1, 2, np.full(4, 0.5))
    assert fitted[0] == 3
    assert 2 <= fitted[1] <= 20 - 2 * 3  # three rows to come need two ticks each
    assert fitted[2] == 2
    assert fitted[3] == 9
