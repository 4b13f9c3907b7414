"""Whose silence means death, and whose does not."""

from __future__ import annotations

from llmsynth_serving.queue.leases import Watch


def test_a_worker_is_silent_when_its_beat_stands_still_for_longer_than_allowed() -> None:
    watch = Watch(8)
    assert watch.silent({"a": 1, "b": 1}, 0) == []
    for second in (2, 4, 6, 8):
        assert watch.silent({"a": second, "b": 1}, second) == []
    assert watch.silent({"a": 10, "b": 1}, 10) == ["b"]


def test_a_worker_that_runs_jobs_without_a_lease_is_silent_too() -> None:
    watch = Watch(8)
    assert [watch.silent({"ghost": None}, second) for second in (0, 3, 6, 9)][-1] == ["ghost"]


def test_an_outage_makes_nobody_silent() -> None:
    watch = Watch(8)
    watch.silent({"a": 1}, 0)
    assert watch.silent({"a": 1}, 3_600) == []
    assert watch.silent({"a": 2}, 3_602) == []


def test_a_worker_that_died_in_an_outage_is_found_soon_after_it() -> None:
    watch = Watch(8)
    watch.silent({"a": 1}, 0)
    found = [watch.silent({"a": 1}, 3_600 + second) for second in (0, 2, 4, 6)]
    assert found[-1] == ["a"]
