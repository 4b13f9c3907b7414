"""Whose silence means death, and whose does not."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from llmsynth_serving.database.sessions import Database
from llmsynth_serving.queue.leases import LEASES, Reaper, Watch, present

NAME = "from llmsynth_serving.queue.worker_names import worker_name; print(worker_name())"


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


def test_who_looks_for_the_first_time_believes_the_databases_clock_sooner() -> None:
    watch = Watch(8)
    ages = {"long gone": 60.0, "lately": 3.0}
    beats = {"long gone": 1, "lately": 1}
    assert watch.silent(beats, 0, ages) == []
    assert watch.silent(beats, 4, ages) == []
    assert watch.silent(beats, 5, ages) == ["long gone"]


def test_old_beats_prove_nothing_just_after_an_outage() -> None:
    watch = Watch(8)
    for second in (0, 2):
        watch.silent({"a": 1}, second, {"a": second + 1.0})
    assert watch.silent({"a": 1}, 600, {"a": 601.0}) == []
    assert watch.silent({"a": 1}, 602, {"a": 603.0}) == []
    assert watch.silent({"a": 2}, 604, {"a": 0.0}) == []


def reaper(
    name: str, database: Database, recovered: list[str], lease_seconds: float = 0.4
) -> Reaper:
    times = {"beat_seconds": 0.05, "lease_seconds": lease_seconds}
    return Reaper(name, database, queues=["cpu"], running=set, recover=recovered.extend, **times)


def wait_until(holds) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_worker_that_is_starting_watches_others_but_takes_nothing_yet(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'queue.db'}")
    recovered: list[str] = []
    dead = reaper("dead", database, [])
    dead.start()
    dead.open()
    wait_until(lambda: [worker.worker for worker in present(database)] == ["dead"])
    dead._ending.set()
    dead.join()
    late = reaper("late", database, recovered)
    late.start()
    time.sleep(0.8)
    assert recovered == []
    assert [worker.worker for worker in present(database)] == ["dead"]
    opened = time.monotonic()
    late.open()
    wait_until(lambda: recovered == ["dead"])
    assert time.monotonic() - opened < 0.4, "it had seen long before that the other was silent"
    wait_until(lambda: [worker.worker for worker in present(database)] == ["late"])
    late.close()
    database.close()


@pytest.mark.skipif(sys.platform != "linux", reason="processes are seen in /proc")
def test_a_worker_that_was_killed_on_this_machine_is_not_waited_for(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'queue.db'}")
    said = subprocess.run([sys.executable, "-c", NAME], capture_output=True, text=True, check=True)
    killed, recovered = said.stdout.strip(), []
    patient = reaper("patient", database, recovered, lease_seconds=600)
    patient.start()
    patient.open()
    wait_until(lambda: bool(present(database)))
    lease = {"worker": killed, "beat": 9, "queues": "cpu", "seen_at": sa.func.now()}
    with database.session() as session:
        session.execute(LEASES.insert().values(**lease))
    wait_until(lambda: recovered == [killed])
    wait_until(lambda: [worker.worker for worker in present(database)] == ["patient"])
    patient.close()
    database.close()
