"""Databases of earlier forms, brought to this one without losing a row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from llmsynth_serving.accounts.keys import find_caller
from llmsynth_serving.database.records import ApiKey, Job, Project, Record, Synthesizer, Table
from llmsynth_serving.database.sessions import Database
from llmsynth_serving.database.upgrade import check, newest, revision, upgrade
from llmsynth_serving.objects.refusals import OutdatedDatabaseError

STORED = Path(__file__).with_name("old")
KEY = "lls_8d9f0b5c6c7a4f1f9a3f0d1c2b3a4958_not-a-secret-but-the-key-of-the-stored-database"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'service.db'}")
    yield database
    database.close()


def test_a_fresh_database_has_the_form_of_the_records(database: Database) -> None:
    upgrade(database)
    upgrade(database)
    assert revision(database) == newest()
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Record.metadata) == []


def test_a_database_of_another_form_is_refused(database: Database) -> None:
    with pytest.raises(OutdatedDatabaseError, match="form none"):
        check(database)
    upgrade(database)
    check(database)


@pytest.mark.parametrize("form", ["0001"])
def test_a_stored_database_keeps_all_it_holds(
    database: Database, form: str, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "service.db") as connection:
        connection.executescript((STORED / f"{form}.sql").read_text(encoding="utf-8"))
    connection.close()
    assert revision(database) == form
    upgrade(database)
    check(database)
    with database.reading() as session:
        caller = find_caller(session, KEY)
        assert caller is not None
        assert (caller.scope, session.get(Project, caller.project_id).name) == ("admin", "stored")
        table = session.query(Table).one()
        assert (table.num_rows, table.profile) == (3, {"columns": []})
        assert session.query(Synthesizer).one().state == "ready"
        job = session.query(Job).one()
        assert (job.state, job.result) == ("succeeded", {"synthesizer_id": "s1"})
        assert job.finished_at is not None
        assert job.finished_at.tzinfo is not None
        assert session.query(ApiKey).count() == 1
