"""Brings a database to the form that this version of the service works with."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from llmsynth_serving.database.sessions import Database
from llmsynth_serving.objects.refusals import OutdatedDatabaseError

_LOCK = 0x6C6C6D73


def upgrade(database: Database) -> None:
    """Take every step that is missing, all in one transaction; safe from several processes."""
    with database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        command.upgrade(_config(connection), "head")


def revision(database: Database) -> str | None:
    """The last step that the database has taken; None where it has taken none."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest() -> str:
    """The last step that there is."""
    return str(ScriptDirectory(str(_FOLDER)).get_current_head())


def check(database: Database) -> None:
    """Refuse to work on a database of another form.

    Raises:
        OutdatedDatabaseError: steps are missing, or it is ahead of this version.
    """
    found = revision(database)
    if found != newest():
        raise OutdatedDatabaseError(
            f"The database is in form {found or 'none'}; this version works with {newest()}."
        )


_FOLDER = Path(__file__).with_name("migrations")


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
