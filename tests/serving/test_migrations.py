"""Databases of earlier forms, brought to this one without losing a row."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from llmsynth_serving.accounts.keys import find_caller
from llmsynth_serving.database.records import ApiKey, Job, Project, Record, Synthesizer, Table
from llmsynth_serving.database.sessions import Database
from llmsynth_serving.database.upgrade import check, newest, revision, upgrade
from llmsynth_serving.objects.refusals import OutdatedDatabaseError
from llmsynth_serving.settings import ServiceSettings

STORED = Path(__file__).with_name("old")
KEY = "lls_8d9f0b5c6c7a4f1f9a3f0d1c2b3a4958_not-a-secret-but-the-key-of-the-stored-database"


BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def database(tmp_path: Path, database_url: str) -> Iterator[Database]:
    settings = ServiceSettings(home=tmp_path, database_url=database_url)
    database = Database(settings.database)
    yield database
    database.close()


def load(database: Database, form: str) -> None:
    """Make the stored database of a form: SQLite's own dump of it, or that of `pg_dump`."""
    name = database.engine.dialect.name
    script = (STORED / f"{form}.{name}.sql").read_text(encoding="utf-8")
    connection = database.engine.raw_connection()
    if name == "sqlite":
        # A dump names tables before it makes the ones that they point to.
        connection.executescript(f"PRAGMA foreign_keys=OFF;{script};PRAGMA foreign_keys=ON;")
    else:
        connection.cursor().execute(script)
    connection.commit()
    connection.close()


@BOTH
def test_a_fresh_database_has_the_form_of_the_records(database: Database) -> None:
    upgrade(database)
    upgrade(database)
    assert revision(database) == newest()
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Record.metadata) == []


@BOTH
def test_a_database_of_another_form_is_refused(database: Database) -> None:
    with pytest.raises(OutdatedDatabaseError, match="form none"):
        check(database)
    upgrade(database)
    check(database)


def test_servers_that_start_together_upgrade_once(postgres: Any, tmp_path: Path) -> None:
    settings = ServiceSettings(home=tmp_path, database_url=postgres.create("together"))
    databases = [Database(settings.database) for _ in range(4)]
    with ThreadPoolExecutor(len(databases)) as starters:
        list(starters.map(upgrade, databases))
    assert {revision(database) for database in databases} == {newest()}
    for database in databases:
        database.close()


@BOTH
@pytest.mark.parametrize("form", ["0001"])
def test_a_stored_database_keeps_all_it_holds(database: Database, form: str) -> None:
    load(database, form)
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
