"""Large samples that several workers draw at once, and that are one table in the end."""

from __future__ import annotations

import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from llmsynth_serving.database.records import Job, Table
from llmsynth_serving.objects.shards import MOST_SHARDS, divide
from llmsynth_serving.queue.accounts import JobAccount
from llmsynth_serving.queue.families import shards_of
from llmsynth_serving.settings import BLOCK_ROWS, ServiceSettings

from llmsynth.demo_tables import load
from llmsynth.generation.generator import SHARD_ROWS

BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


def sample_of(rows: int, table_id: str = "t", **spec: object) -> Job:
    whole = {"synthesizer_id": "s", "table_id": table_id, "rows": rows, **spec}
    return Job(project_id="p1", name="rows", kind="sample", spec=whole)


def add(workplace, job: Job) -> list[str]:
    with workplace.database.session() as session:
        session.add(job)
        session.flush()
        divide(session, job, workplace.settings)
    with workplace.database.session() as session:
        return [shard.id for shard in shards_of(session, job.id)]


def test_a_part_begins_where_the_library_promises_equal_rows() -> None:
    assert BLOCK_ROWS == SHARD_ROWS
    assert ServiceSettings.part_rows % BLOCK_ROWS == 0


def test_a_sample_is_divided_into_as_many_rows_as_were_asked_for(workplace) -> None:
    whole = sample_of(40_000)
    ids = add(workplace, whole)
    assert ids == [f"{whole.id}-{first}" for first in (0, 16_384, 32_768)]
    shards = [workplace.job(name) for name in ids]
    assert [shard.spec["rows"] for shard in shards] == [16_384, 16_384, 7_232]
    assert all("table_id" not in shard.spec for shard in shards)
    assert {shard.priority for shard in shards} == {workplace.job(whole.id).priority + 1}
    assert add(workplace, sample_of(16_384)) == []
    many = [workplace.job(name).spec["rows"] for name in add(workplace, sample_of(10_000_000))]
    assert len(many) <= MOST_SHARDS
    assert sum(many) == 10_000_000
    assert all(rows % BLOCK_ROWS == 0 for rows in many[:-1])


@BOTH
def test_rows_of_the_shards_are_summed_and_the_last_one_lets_the_whole_go_on(workplace) -> None:
    account, whole = JobAccount(workplace.database), sample_of(40_000)
    first, second, third = add(workplace, whole)
    assert account.start(first, "a")
    assert workplace.job(whole.id).state == "running"
    assert account.start(second, "b")
    assert account.progress(first, "a", {"stage": "sample", "done": 10_000, "total": 16_384})
    assert account.progress(second, "b", {"stage": "sample", "done": 5_000, "total": 16_384})
    progress = workplace.job(whole.id).progress
    assert (progress["done"], progress["total"]) == (15_000, 40_000)
    assert not account.progress(second, "somebody else", {"done": 1, "total": 16_384})
    assert account.succeed(first, {"drawn": 16_384}) is None
    assert account.succeed(first, {"drawn": 16_384}) is None
    assert workplace.job(whole.id).progress["done"] == 21_384
    assert account.succeed(second, {"drawn": 16_384}) is None
    assert account.succeed(third, {"drawn": 7_232}) == whole.id
    assert workplace.job(whole.id).progress["done"] == 40_000


@BOTH
def test_a_shard_that_fails_ends_the_whole_and_a_cancelled_whole_ends_its_shards(
    workplace,
) -> None:
    account, failing, cancelled = (
        JobAccount(workplace.database),
        sample_of(40_000),
        sample_of(40_000),
    )
    first, second, third = add(workplace, failing)
    account.start(first, "a")
    assert account.succeed(second, {"drawn": 16_384}) is None
    assert set(account.fail(first, {"type": "X", "detail": "no"})) == {failing.id, first, third}
    states = [workplace.job(name).state for name in (failing.id, first, second, third)]
    assert states == ["failed", "failed", "succeeded", "cancelled"]
    assert workplace.job(failing.id).error == {"type": "X", "detail": "no"}
    ids = add(workplace, cancelled)
    account.start(ids[0], "a")
    assert workplace.backlog.cancel(cancelled.id)
    assert {workplace.job(name).state for name in (cancelled.id, *ids)} == {"cancelled"}
    assert not account.progress(ids[0], "a", None)
    assert not account.start(ids[1], "b")


@pytest.mark.slow
def test_shards_are_the_rows_of_one_run_even_where_a_worker_dies(workplace) -> None:
    workplace.start_worker()
    fit = workplace.add_fit(workplace.add_table(load("adult").slice(0, 400)), max_epochs=1)
    synthesizer_id = workplace.wait_for_end(fit).spec["synthesizer_id"]
    order = {"synthesizer_id": synthesizer_id, "seed": 3}
    whole = workplace.submit(sample_of(100_000, "sharded", **order))
    with workplace.database.session() as session:
        shards = [shard.id for shard in shards_of(session, whole.id)]
    assert len(shards) == 7
    workplace.wait(whole, lambda job: job.progress.get("done", 0) >= 16_384)
    workplace.workers[0].kill()
    workplace.start_worker()
    workplace.start_worker()
    ended = workplace.wait_for_end(whole)
    assert (ended.state, ended.attempts, ended.error) == ("succeeded", 1, None)
    assert {workplace.job(name).state for name in shards} == {"succeeded"}
    rows = table_of(workplace, "sharded")
    alone = Job(project_id="p1", name="rows", kind="sample")
    alone.spec = {"table_id": "alone", "rows": 100_000, "part_rows": 65_536, **order}
    with workplace.database.session() as session:
        session.add(alone)
    workplace.backlog.submit(alone)
    assert workplace.wait_for_end(alone).state == "succeeded"
    assert rows.num_rows == 100_000
    assert rows.equals(table_of(workplace, "alone"))
    deadline = time.monotonic() + 20
    while workplace.storage.names("parts") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert workplace.storage.names("parts") == []


def table_of(workplace, table_id: str) -> pa.Table:
    with workplace.database.session() as session:
        table = session.get(Table, table_id)
    assert table is not None
    with workplace.storage.open(table.path) as file:
        return pq.read_table(file)
