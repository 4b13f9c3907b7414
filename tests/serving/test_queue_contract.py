"""What the workers rely on the queue's library for; a release that changes it must fail here."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from dbos import DBOS, DBOSClient
from dbos._error import DBOSWorkflowConflictIDError
from dbos._sys_db import WorkflowStatusString
from llmsynth_serving.queue.backlog import DEAD, OVER
from llmsynth_serving.queue.durable import JSON_ONLY, VERSION, prepare_queue, queue_client

EXECUTOR = """
import json, sys, time
from dbos import DBOS
from llmsynth_serving.queue.durable import APPLICATION, JSON_ONLY, VERSION
url, name, log = sys.argv[1:]

@DBOS.workflow(name="work", max_recovery_attempts=1, serialization_type=JSON_ONLY)
async def work(seconds):
    with open(log, "a") as file:
        file.write(name + "\\n")
    await DBOS.sleep_async(seconds if name == "first" else 0)
    return name

DBOS(config={"name": APPLICATION, "system_database_url": url, "executor_id": name,
             "application_version": VERSION, "log_level": "ERROR"})
DBOS.listen_queues(["cpu"])
DBOS.launch()
DBOS.register_queue("cpu", worker_concurrency=1, polling_interval_sec=0.1)
print("up", flush=True)
for line in sys.stdin:
    print(json.dumps(len(DBOS._recover_pending_workflows(json.loads(line)))), flush=True)
DBOS.destroy()
"""
DEADLINE_SECONDS = 60.0
PICKLED = "gAS"
"""How a pickle begins where it is written as text."""


class Executor:
    def __init__(self, url: str, name: str, log: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", EXECUTOR, url, name, str(log)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._read() == "up"

    def recover(self, executors: list[str]) -> int:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(executors) + "\n")
        self.process.stdin.flush()
        return int(self._read())

    def _read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


def order(client: DBOSClient, name: str, seconds: float) -> None:
    options = {"workflow_name": "work", "queue_name": "cpu", "workflow_id": name}
    more = {"app_version": VERSION, "serialization_type": JSON_ONLY}
    client.enqueue({**options, **more}, seconds)


def status(client: DBOSClient, name: str) -> str | None:
    found: list[Any] = client.list_workflows(workflow_ids=[name])
    return str(found[0].status) if found else None


def wait(client: DBOSClient, name: str, wanted: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while status(client, name) != wanted:
        assert time.monotonic() < deadline, status(client, name)
        time.sleep(0.05)


def test_a_lost_executors_work_is_recovered_once_and_only_when_others_ask(
    tmp_path: Path,
) -> None:
    url, log = f"sqlite:///{tmp_path / 'queue.db'}", tmp_path / "starts"
    prepare_queue(url)
    client = queue_client(url)
    order(client, "long", 600)
    order(client, "long", 600)
    first = Executor(url, "first", log)
    wait(client, "long", "PENDING")
    while not log.exists():
        time.sleep(0.05)
    first.end()
    second = Executor(url, "second", log)
    time.sleep(1.5)
    # The library brings it back only when "first" comes back: what the reaper is for.
    assert status(client, "long") == "PENDING"
    assert second.recover(["nobody"]) == 0
    assert second.recover(["first"]) == 1
    wait(client, "long", "SUCCESS")
    assert second.recover(["first"]) == 0
    assert log.read_text().split() == ["first", "second"]
    order(client, "long", 0)
    assert status(client, "long") == "SUCCESS"
    client.delete_workflows(["long", "unknown"])
    assert status(client, "long") is None
    order(client, "long", 0)
    wait(client, "long", "SUCCESS")
    second.end()
    client.cancel_workflows(["long", "unknown"])
    assert status(client, "long") == "SUCCESS"
    client.destroy()


def test_nothing_in_the_queue_is_pickled(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'queue.db'}"
    prepare_queue(url)
    client = queue_client(url)
    order(client, "one", 1.5)
    client.destroy()
    with sqlite3.connect(tmp_path / "queue.db") as connection:
        kept = "\n".join(connection.iterdump())
    connection.close()
    assert "[1.5]" in kept
    assert PICKLED not in kept


def test_losing_a_job_is_no_ordinary_exception() -> None:
    # `except Exception` in a job's body must not swallow that the job is somebody else's by now.
    assert not issubclass(DBOSWorkflowConflictIDError, Exception)
    assert hasattr(DBOS, "_recover_pending_workflows")


@pytest.mark.parametrize("name", [DEAD, *OVER])
def test_the_states_have_the_names_that_are_looked_for(name: str) -> None:
    assert name in {state.value for state in WorkflowStatusString}
