"""Orders on their way into the queue: together where they come together, none lost on the way."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from llmsynth_serving.database.records import Job
from llmsynth_serving.queue.submitter import Submitter

BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


class Gate:
    """A backlog that notes what it is given, and lets it through when it is opened."""

    def __init__(self) -> None:
        self.given: list[list[Any]] = []
        self.opened = threading.Event()
        self.reached = threading.Event()
        self.broken = False

    def submit(self, *jobs: Any) -> None:
        self.given.append(list(jobs))
        self.reached.set()
        self.opened.wait(20)
        if self.broken:
            raise ConnectionError("the queue is away")


def test_what_comes_while_the_queue_is_busy_goes_at_one_go() -> None:
    gate = Gate()
    submitter = Submitter(gate)  # type: ignore[arg-type]
    submitter.submit(1)  # type: ignore[arg-type]
    assert gate.reached.wait(20)
    for number in (2, 3, 4):
        submitter.submit(number)  # type: ignore[arg-type]
    gate.opened.set()
    submitter.close()
    assert gate.given == [[1], [2, 3, 4]]


def test_an_outage_ends_no_later_submission() -> None:
    gate = Gate()
    gate.opened.set()
    gate.broken = True
    submitter = Submitter(gate)  # type: ignore[arg-type]
    submitter.submit(1)  # type: ignore[arg-type]
    deadline = time.monotonic() + 20
    while not gate.given:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    gate.broken = False
    submitter.submit(2)  # type: ignore[arg-type]
    submitter.close()
    assert [job for jobs in gate.given for job in jobs] == [1, 2]


@BOTH
def test_many_jobs_are_in_the_queue_after_one_call_and_again_is_harmless(workplace: Any) -> None:
    jobs = [Job(project_id="p1", name="j", kind="evaluate", spec={}) for _ in range(5)]
    with workplace.database.session() as session:
        session.add_all(jobs)
    workplace.backlog.submit(*jobs)
    workplace.backlog.submit(*jobs[:2])
    ids = [job.id for job in jobs]
    assert sorted(workplace.backlog.known(ids)) == sorted(ids)


def test_threads_that_write_at_once_stand_in_line(workplace: Any) -> None:
    database, failed = workplace.database, []

    def write(number: int) -> None:
        try:
            for turn in range(10):
                name = f"{number}-{turn}"
                with database.session() as session:
                    session.add(Job(project_id="p1", name=name, kind="fit", spec={}))
        except Exception as error:  # noqa: BLE001 the test tells which
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with database.reading() as session:
        assert session.query(Job).count() == 80
