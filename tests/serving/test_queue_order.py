"""Who does which job first, who does it at all, and when it is given up."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from llmsynth_serving.database.records import Job, Synthesizer
from llmsynth_serving.database.sessions import Database
from llmsynth_serving.objects.resources import resources
from llmsynth_serving.queue import backlog
from llmsynth_serving.queue.durable import CRASHES_ALLOWED
from llmsynth_serving.queue.leases import LEASES, Presence, present
from llmsynth_serving.queue.places import place

from llmsynth.demo_tables import load

BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


def order(**values: Any) -> Job:
    return Job(**{"project_id": "p1", "name": "j", "kind": "evaluate", "spec": {}, **values})


def queue_of(workplace: Any, job: Job) -> str:
    (status,) = workplace.backlog._client.list_workflows(workflow_ids=[job.id])
    return str(status.queue_name)


@BOTH
def test_workers_tell_what_they_take_and_when_they_beat(workplace: Any) -> None:
    leases = Database(workplace.settings.leases)
    assert present(leases) == []
    LEASES.create(leases.engine)
    with leases.session() as session:
        said = {"worker": "w", "beat": 1, "queues": "cpu,gpu", "seen_at": sa.func.now()}
        session.execute(LEASES.insert().values(**said))
    (worker,) = present(leases)
    assert (worker.worker, worker.queues) == ("w", ("cpu", "gpu"))
    assert 0 <= worker.seconds < 60
    leases.close()


def declare(workplace: Any, **queues: str) -> None:
    """Leases of workers that take these queues, instead of those there are."""
    leases = Database(workplace.settings.leases)
    LEASES.create(leases.engine, checkfirst=True)
    with leases.session() as session:
        session.execute(LEASES.delete())
        for worker, taken in queues.items():
            said = {"worker": worker, "beat": 1, "queues": taken, "seen_at": sa.func.now()}
            session.execute(LEASES.insert().values(**said))
    leases.close()


def test_a_job_for_a_gpu_goes_to_any_worker_where_nobody_has_one(workplace: Any) -> None:
    job = workplace.submit(order(resources="gpu"))
    assert queue_of(workplace, job) == "cpu"
    declare(workplace, w="gpu")
    assert queue_of(workplace, workplace.submit(order(resources="gpu"))) == "gpu"
    assert queue_of(workplace, workplace.submit(order())) == "cpu"


@pytest.mark.parametrize(
    ("asked", "queues", "busy", "expected"),
    [
        (None, ["cpu"], {}, "cpu"),
        (None, ["cpu", "gpu-24"], {}, "gpu-24"),
        (None, ["gpu", "gpu-24"], {}, "gpu"),
        (None, ["gpu", "gpu-24"], {"gpu": 1}, "gpu-24"),
        (16, ["cpu", "gpu", "gpu-8"], {}, "gpu-16"),
        (16, ["gpu-8", "gpu-24", "gpu-80"], {}, "gpu-24"),
        (16, ["gpu-8", "gpu-24", "gpu-80"], {"gpu-24": 2, "gpu-80": 1}, "gpu-80"),
        (16, ["gpu-24", "gpu-24", "gpu-24", "gpu-80"], {"gpu-24": 2, "gpu-80": 1}, "gpu-24"),
        (23.5, ["gpu-23", "gpu-23.5"], {}, "gpu-23.5"),
    ],
)
def test_a_job_goes_where_the_declared_memory_suffices(
    asked: float | None, queues: list[str], busy: dict[str, int], expected: str
) -> None:
    workers = [
        Presence(worker=f"w{number}", queues=(queue,), seconds=0.0)
        for number, queue in enumerate(queues)
    ]
    assert place(asked, workers, lambda names: busy) == expected


@BOTH
def test_what_waits_where_nobody_takes_it_is_moved_once_somebody_can(
    workplace: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "PATIENCE_SECONDS", -1.0)
    declare(workplace, small="gpu-8", plain="cpu")
    job = workplace.submit(order(resources="gpu", spec={"gpu_memory_gb": 16}))
    assert queue_of(workplace, job) == "gpu-16"
    workplace.backlog.settle()
    assert queue_of(workplace, job) == "gpu-16"
    declare(workplace, small="gpu-8", large="gpu-80", plain="cpu")
    workplace.backlog.settle()
    assert queue_of(workplace, job) == "gpu-80"
    declare(workplace, small="gpu-8", plain="cpu")
    workplace.backlog.settle()
    assert queue_of(workplace, job) == "gpu-80", "it asked for what nobody has by now"


def test_a_job_that_asked_for_no_memory_leaves_a_gpu_that_stays_away(
    workplace: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "PATIENCE_SECONDS", -1.0)
    declare(workplace, one="gpu", plain="cpu")
    job = workplace.submit(order(resources="gpu"))
    declare(workplace, plain="cpu")
    workplace.backlog.settle()
    assert queue_of(workplace, job) == "gpu", "it may only be starting again"
    monkeypatch.setattr(backlog, "GPU_SECONDS", -1.0)
    workplace.backlog.settle()
    assert queue_of(workplace, job) == "cpu"


@BOTH
def test_every_waiting_job_is_settled_in_turn_where_there_are_many(
    workplace: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "PATIENCE_SECONDS", -1.0)
    monkeypatch.setattr(backlog, "SETTLED_AT_ONCE", 3)
    jobs = [order() for _ in range(7)]
    with workplace.database.session() as session:
        session.add_all(jobs)
    ids = [job.id for job in jobs]
    counts = []
    for _ in range(3):
        workplace.backlog.settle()
        counts.append(len(workplace.backlog.known(ids)))
    assert counts == [3, 6, 7]


@pytest.mark.slow
def test_a_worker_takes_no_job_that_asks_for_more_memory_than_it_declares(workplace: Any) -> None:
    workplace.start_worker("gpu", GPU_MEMORY_GB="8")
    table = workplace.add_table(load("adult").slice(0, 200))
    spec = {"train_id": table.id, "holdout_id": "nothing", "table_id": table.id}
    large = workplace.submit(order(resources="gpu", spec={**spec, "gpu_memory_gb": 16}))
    small = workplace.submit(order(resources="gpu", spec={**spec, "gpu_memory_gb": 8}))
    first = workplace.wait_for_end(small)
    assert workplace.job(large.id).state == "queued"
    workplace.start_worker("gpu", GPU_MEMORY_GB="24")
    second = workplace.wait_for_end(large)
    assert first.worker != second.worker
    assert second.attempts == 1


@pytest.mark.parametrize(
    ("kind", "spec", "queue"),
    [
        ("fit", {"settings": {"model": "compact"}}, "cpu"),
        ("fit", {"settings": {}}, "cpu"),
        ("fit", {"settings": {"model": "some/model"}}, "gpu"),
        ("few-shot", {}, "gpu"),
        ("evaluate", {}, "cpu"),
        ("sample", {"synthesizer_id": "small", "gpu_memory_gb": 4.0}, "gpu"),
        ("sample", {"synthesizer_id": "small"}, "cpu"),
        ("sample", {"synthesizer_id": "large"}, "gpu"),
    ],
)
def test_language_models_ask_for_a_gpu(
    workplace: Any, kind: str, spec: dict[str, Any], queue: str
) -> None:
    models = {"small": {"model": "compact"}, "large": {"model": "some/model"}}
    with workplace.database.session() as session:
        for name, settings in models.items():
            session.add(Synthesizer(id=name, project_id="p1", name=name, settings=settings))
        session.flush()
        assert resources(session, kind, spec) == queue


@pytest.mark.slow
def test_jobs_of_higher_priority_come_first(workplace: Any) -> None:
    table = workplace.add_table(load("adult").slice(0, 100))
    spec = {"train_id": table.id, "holdout_id": "nothing", "table_id": table.id}
    late, usual, early = (
        workplace.submit(order(spec=spec, priority=priority)) for priority in (900, 100, 5)
    )
    workplace.start_worker()
    ended = {
        name: workplace.wait_for_end(job)
        for name, job in (("late", late), ("usual", usual), ("early", early))
    }
    moments = [ended[name].finished_at for name in ("early", "usual", "late")]
    assert moments == sorted(moments)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_job_whose_workers_all_die_is_given_up_as_dead(workplace: Any) -> None:
    job = workplace.add_fit(workplace.add_table(load("adult").slice(0, 400)), max_epochs=100_000)
    for crash in range(CRASHES_ALLOWED + 1):
        worker = workplace.start_worker()
        workplace.wait(job, lambda job, n=crash: job.attempts == n + 1, seconds=120)
        worker.kill()
        worker.wait()
    workplace.start_worker()
    ended = workplace.wait_for_end(job, seconds=120)
    assert ended.state == "dead"
    assert ended.error is not None
    assert ended.error["type"] == "DeadLetter"


@pytest.mark.slow
def test_a_job_whose_process_dies_is_tried_again_and_then_has_failed(workplace: Any) -> None:
    worker = workplace.start_worker()
    job = workplace.add_fit(workplace.add_table(load("adult").slice(0, 400)), max_epochs=100_000)

    def forks() -> list[int]:
        found = [worker.pid]
        for pid in found:
            children = Path(f"/proc/{pid}/task").glob("*/children")
            found += [int(word) for file in children for word in file.read_text().split()]
        return found[2:]

    for attempt in range(1, 5):
        workplace.wait(job, lambda job, n=attempt: job.attempts == n, seconds=120)
        workplace.wait(job, lambda job: bool(forks()), seconds=30)
        os.kill(forks()[-1], signal.SIGKILL)
    ended = workplace.wait_for_end(job, seconds=60)
    assert (ended.state, ended.attempts) == ("failed", 4)
    assert ended.error is not None
    assert ended.error["type"] == "LostJobError"
