"""Jobs in real worker processes, which die in the middle of them."""

from __future__ import annotations

import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from llmsynth_serving.database.records import Job, Synthesizer, Table

from llmsynth.demo_tables import load

BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def adult() -> pa.Table:
    return load("adult").slice(0, 400)


@BOTH
def test_a_fit_and_its_sample_go_through_the_queue(workplace, adult: pa.Table) -> None:
    workplace.start_worker()
    fit = workplace.wait_for_end(workplace.add_fit(workplace.add_table(adult), max_epochs=1))
    assert (fit.state, fit.attempts, fit.error) == ("succeeded", 1, None)
    assert fit.progress["stage"] == "train"
    spec = {"synthesizer_id": fit.spec["synthesizer_id"], "table_id": "t2", "rows": 150}
    job = Job(project_id="p1", name="rows", kind="sample", spec=spec)
    sample = workplace.wait_for_end(workplace.submit(job))
    assert sample.state == "succeeded", sample.error
    with workplace.database.session() as session:
        table = session.get(Table, "t2")
        synthesizer = session.get(Synthesizer, fit.spec["synthesizer_id"])
    assert table is not None
    assert synthesizer is not None
    assert synthesizer.state == "ready"
    with workplace.storage.open(table.path) as file:
        rows = pq.read_table(file)
    assert (rows.num_rows, table.num_rows) == (150, 150)
    assert rows.column_names == adult.column_names


@BOTH
def test_a_killed_workers_job_goes_on_elsewhere_from_its_checkpoint(
    workplace, adult: pa.Table
) -> None:
    first = workplace.start_worker()
    job = workplace.add_fit(workplace.add_table(adult), max_epochs=60)
    workplace.wait(
        job, lambda job: job.progress.get("done", 0) > 0.1 * job.progress.get("total", 1)
    )
    workplace.start_worker()
    first.kill()
    killed = time.monotonic()
    again = workplace.wait(job, lambda job: job.attempts == 2, seconds=30)
    assert time.monotonic() - killed < 30
    assert again.state == "running"
    resumed = workplace.wait(job, lambda job: job.progress["done"] > 0.1 * job.progress["total"])
    assert resumed.attempts == 2
    ended = workplace.wait_for_end(job)
    assert (ended.state, ended.attempts) == ("succeeded", 2)


def test_a_cancelled_job_stops_and_frees_its_worker(workplace, adult: pa.Table) -> None:
    workplace.start_worker()
    table = workplace.add_table(adult)
    job = workplace.add_fit(table, max_epochs=500)
    workplace.wait(job, lambda job: bool(job.progress))
    assert workplace.backlog.cancel(job.id)
    assert not workplace.backlog.cancel(job.id)
    assert workplace.job(job.id).state == "cancelled"
    other = workplace.wait_for_end(workplace.add_fit(table, max_epochs=1), seconds=40)
    assert other.state == "succeeded"
    assert workplace.job(job.id).state == "cancelled"


def test_an_error_that_would_come_again_fails_at_once_with_its_reason(
    workplace, adult: pa.Table
) -> None:
    workplace.start_worker()
    job = workplace.add_fit(workplace.add_table(adult), max_epochs=-1)
    ended = workplace.wait_for_end(job)
    assert (ended.state, ended.attempts) == ("failed", 1)
    assert ended.error is not None
    assert ended.error["type"] == "SettingsError"
    assert "max_epochs" in ended.error["detail"]


def test_a_job_that_never_reached_the_queue_is_settled_into_it(workplace, adult: pa.Table) -> None:
    table = workplace.add_table(adult)
    synthesizer = Synthesizer(project_id="p1", name="s", table_id=table.id)
    spec = {"table_id": table.id, "synthesizer_id": synthesizer.id, "settings": {"max_epochs": 1}}
    with workplace.database.session() as session:
        session.add(synthesizer)
        session.flush()
        spec["synthesizer_id"] = synthesizer.id
        job = Job(project_id="p1", name="lost", kind="fit", spec=spec)
        session.add(job)
    workplace.start_worker()
    assert workplace.wait_for_end(job).state == "succeeded"
