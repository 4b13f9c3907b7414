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
from llmsynth_serving.queue.durable import CRASHES_ALLOWED
from llmsynth_serving.queue.leases import LEASES, present

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


def test_a_job_for_a_gpu_goes_to_any_worker_where_nobody_has_one(workplace: Any) -> None:
    job = workplace.submit(order(resources="gpu"))
    assert queue_of(workplace, job) == "cpu"
    leases = Database(workplace.settings.leases)
    LEASES.create(leases.engine)
    with leases.session() as session:
        said = {"worker": "w", "beat": 1, "queues": "gpu", "seen_at": sa.func.now()}
        session.execute(LEASES.insert().values(**said))
    leases.close()
    assert queue_of(workplace, workplace.submit(order(resources="gpu"))) == "gpu"
    assert queue_of(workplace, workplace.submit(order())) == "cpu"


@pytest.mark.parametrize(
    ("kind", "spec", "queue"),
    [
        ("fit", {"settings": {"model": "compact"}}, "cpu"),
        ("fit", {"settings": {}}, "cpu"),
        ("fit", {"settings": {"model": "some/model"}}, "gpu"),
        ("few-shot", {}, "gpu"),
        ("evaluate", {}, "cpu"),
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
