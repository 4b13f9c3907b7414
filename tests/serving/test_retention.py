"""What is past its time is really gone: records, files, and what the queue knew."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from llmsynth_serving.database.records import AuditEntry, IdempotentAnswer, Job, Table, now
from llmsynth_serving.queue.accounts import JobAccount
from llmsynth_serving.queue.leftovers import parts_of
from llmsynth_serving.queue.retention import ORPHAN_SECONDS, Retention

from llmsynth.demo_tables import load

BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


def retention_of(workplace) -> Retention:
    settings = workplace.settings.changed(table_retention_days=90.0)
    return Retention(workplace.database, workplace.storage, workplace.backlog, settings)


def ended_job(workplace, days: float) -> Job:
    """A sample of two shards that ended so long ago, with all that such a job may leave behind."""
    spec = {"synthesizer_id": "s", "table_id": "t", "rows": 20_000}
    job = workplace.submit(Job(project_id="p1", name="j", kind="sample", spec=spec))
    JobAccount(workplace.database).fail(job.id, {"type": "X", "detail": "x"})
    (workplace.settings.work_folder / job.id / "checkpoint").mkdir(parents=True)
    with workplace.storage.writing(f"{parts_of(job.id)}/0.parquet") as file:
        file.write(b"rows")
    answer = {"request_hash": "h", "status": 202, "headers": {}, "body": "{}"}
    with workplace.database.session() as session:
        found = session.get(Job, job.id)
        assert found is not None
        found.finished_at = now() - timedelta(days=days)
        session.add(IdempotentAnswer(id=job.id, project_id="p1", key=job.id, **answer))
    return job


@BOTH
def test_an_old_job_is_gone_with_its_shards_its_files_and_its_place_in_the_queue(
    workplace,
) -> None:
    old, young = ended_job(workplace, 31), ended_job(workplace, 29)
    shards = [f"{old.id}-0", f"{old.id}-16384"]
    assert workplace.backlog.known(shards)
    assert retention_of(workplace).sweep()["jobs"] == 1
    assert retention_of(workplace).sweep()["jobs"] == 0
    with workplace.database.reading() as session:
        assert {job.id for job in session.query(Job)} == {
            young.id,
            f"{young.id}-0",
            f"{young.id}-16384",
        }
        assert session.get(IdempotentAnswer, old.id) is None
        entry = session.query(AuditEntry).filter_by(object_id=old.id).one()
        assert (entry.action, entry.outcome, entry.project_id) == ("remove", "done", "p1")
        assert entry.details["left_in_queue"] == 0
        assert entry.details["records"] == 3
    assert workplace.backlog.known([old.id, *shards]) == []
    assert not (workplace.settings.work_folder / old.id).exists()
    assert workplace.storage.names("parts") == []


def test_leftovers_of_a_job_that_still_waits_are_kept(workplace) -> None:
    spec = {"synthesizer_id": "s", "table_id": "t", "rows": 10}
    job = workplace.submit(Job(project_id="p1", name="j", kind="sample", spec=spec))
    kept = workplace.settings.work_folder / job.id
    kept.mkdir(parents=True)
    (workplace.settings.work_folder / "nobody").mkdir()
    (workplace.settings.work_folder / "uploads").mkdir()
    assert retention_of(workplace).sweep()["leftovers"] == 1
    left = {folder.name for folder in workplace.settings.work_folder.iterdir()}
    assert left == {job.id, "uploads"}


def test_files_that_no_record_names_go_when_they_are_old(workplace) -> None:
    table = workplace.add_table(load("adult").slice(0, 10))
    with workplace.database.session() as session:
        found = session.get(Table, table.id)
        assert found is not None
        found.path = f"tables/{table.id}/right.parquet"
    for name in ("right.parquet", "right.parquet.csv", "given-up.parquet", "fresh.parquet"):
        with workplace.storage.writing(f"tables/{table.id}/{name}") as file:
            file.write(b"x")
    folder = Path(workplace.settings.home / "files" / "tables" / table.id)
    long_ago = time.time() - ORPHAN_SECONDS - 60
    for name in ("right.parquet", "right.parquet.csv", "given-up.parquet"):
        os.utime(folder / name, (long_ago, long_ago))
    assert retention_of(workplace).sweep()["orphans"] == 1
    assert {file.name for file in folder.iterdir()} == {
        "right.parquet",
        "right.parquet.csv",
        "fresh.parquet",
    }


def test_generated_tables_are_removed_only_where_that_is_asked_for(workplace) -> None:
    table = workplace.add_table(load("adult").slice(0, 10))
    with workplace.database.session() as session:
        found = session.get(Table, table.id)
        assert found is not None
        found.origin, found.created_at = "generated", now() - timedelta(days=91)
    kept = workplace.settings
    assert (
        Retention(workplace.database, workplace.storage, workplace.backlog, kept).sweep()["tables"]
        == 0
    )
    assert retention_of(workplace).sweep()["tables"] == 1
    assert not workplace.storage.exists(table.path)
    with workplace.database.reading() as session:
        assert session.get(Table, table.id) is None
        entry = session.query(AuditEntry).filter_by(object_id=table.id).one()
        assert entry.details == {"files": [table.path], "left": 0}
