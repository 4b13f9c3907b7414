"""A service that was destroyed comes back from its backup with all that it held."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient
from llmsynth_serving.app import create_app
from llmsynth_serving.backup import back_up
from llmsynth_serving.database.sessions import Database
from llmsynth_serving.installation import first_key, migrate
from llmsynth_serving.objects.refusals import ConflictError, RefusedInputError
from llmsynth_serving.settings import ServiceSettings


@contextmanager
def opened(settings: ServiceSettings, key: str) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        yield client


def fill(settings: ServiceSettings) -> tuple[str, dict[str, str]]:
    """A service with a key, two tables and a job that waits."""
    migrate(settings)
    key = first_key(settings)
    assert key is not None
    with opened(settings, key) as client:
        ids = {}
        for name in ("a", "b"):
            made = client.post("/v1/tables", params={"name": name}, content=b"x,y\n1,2\n3,4\n")
            assert made.status_code == 201, made.text
            ids[name] = made.json()["id"]
        order = {"table_id": ids["a"], "train_id": ids["a"], "holdout_id": ids["b"], "name": "w"}
        job = client.post("/v1/jobs/evaluate", json=order)
        assert job.status_code == 202, job.text
        ids["job"] = job.json()["id"]
        assert client.delete(f"/v1/tables/{ids['b']}").status_code == 204
    return key, ids


def check(workplace: Any, settings: ServiceSettings, key: str, ids: dict[str, str]) -> None:
    """All is there, and workers take up what waited: without its table the job must fail."""
    with opened(settings, key) as client:
        (table,) = client.get("/v1/tables").json()["items"]
        assert (table["id"], table["num_rows"]) == (ids["a"], 2)
        rows = client.get(f"/v1/tables/{ids['a']}/download", params={"format": "csv"})
        assert rows.text.split() == ["x,y", "1,2", "3,4"]
        actions = {entry["action"] for entry in client.get("/v1/audit").json()["items"]}
        assert {"upload", "order evaluate", "delete"} <= actions
        assert client.get(f"/v1/jobs/{ids['job']}").json()["state"] == "queued"
    place = replace(workplace, settings=settings, database=Database(settings.database), workers=[])
    worker = place.start_worker()
    waiting = place.job(ids["job"])
    ended = place.wait_for_end(waiting)
    worker.terminate()
    worker.wait(timeout=60)
    place.database.close()
    assert ended.state == "failed"
    assert ended.error is not None
    assert "no table" in ended.error["detail"]


def test_an_embedded_service_is_backed_up_destroyed_and_restored(
    workplace: Any, tmp_path: Path
) -> None:
    settings = workplace.settings.changed(home=tmp_path / "kept")
    key, ids = fill(settings)
    environment = {**os.environ, **settings.to_environment()}
    command = [sys.executable, "-m", "llmsynth_serving", "backup", str(tmp_path / "backup")]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    shutil.rmtree(settings.home)
    shutil.copytree(tmp_path / "backup", settings.home)
    check(workplace, settings, key, ids)


@pytest.mark.slow
def test_a_service_on_postgresql_is_dumped_destroyed_and_restored(
    workplace: Any, postgres: Any, tmp_path: Path
) -> None:
    url = postgres.create("backed_up")
    settings = workplace.settings.changed(home=tmp_path / "kept", database_url=url)
    key, ids = fill(settings)
    postgres.dump("backed_up", tmp_path / "dump")
    shutil.copytree(settings.home / "files", tmp_path / "files")
    postgres.drop("backed_up")
    shutil.rmtree(settings.home)
    postgres.create("backed_up")
    postgres.restore("backed_up", tmp_path / "dump")
    shutil.copytree(tmp_path / "files", settings.home / "files")
    check(workplace, settings, key, ids)


def test_a_backup_overwrites_nothing_and_is_for_embedded_services(tmp_path: Path) -> None:
    settings = ServiceSettings(home=tmp_path / "home")
    with pytest.raises(ConflictError, match="already"):
        back_up(settings, tmp_path)
    with pytest.raises(RefusedInputError, match="embedded"):
        back_up(settings.changed(storage_url="s3://bucket"), tmp_path / "new")
