from __future__ import annotations

from itertools import pairwise

from llmsynth_serving.jobs.loss_curve import MOST_POINTS, LossCurve


def test_a_short_fit_keeps_every_point() -> None:
    curve = LossCurve()
    for step in range(10):
        curve.add(step / 10, 5 - step)
    assert curve.points == [(step / 10, 5.0 - step) for step in range(10)]


def test_a_long_fit_is_thinned_evenly_and_keeps_its_ends() -> None:
    curve = LossCurve()
    for step in range(20_001):
        curve.add(step / 20_000, 1.0)
    shares = [done for done, _ in curve.points]
    gaps = [later - earlier for earlier, later in pairwise(shares)]
    assert 80 < len(shares) <= MOST_POINTS
    assert shares[0] == 0
    assert shares[-1] > 0.98
    assert max(gaps) < 2.5 * min(gaps)


def test_an_attempt_that_goes_on_from_a_checkpoint_draws_over_what_was_lost() -> None:
    first = LossCurve()
    for step in range(5):
        first.add(step / 10, 9.0)
    second = LossCurve(first.points)
    second.add(0.2, 1.0)
    second.add(0.3, 1.0)
    assert [done for done, _ in second.points][:2] == [0.0, 0.1]
    assert second.points[-1] == (0.3, 1.0)
    assert all(loss == 9.0 for done, loss in second.points if done < 0.2)
