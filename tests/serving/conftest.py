from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from litestar.testing import TestClient
from llmsynth_serving.accounts.keys import SCOPES, create_key
from llmsynth_serving.app import create_app
from llmsynth_serving.database.records import Job, Project, Report, Synthesizer, Table
from llmsynth_serving.database.sessions import Database
from llmsynth_serving.database.upgrade import upgrade
from llmsynth_serving.installation import migrate
from llmsynth_serving.objects.shards import divide
from llmsynth_serving.queue.backlog import Backlog
from llmsynth_serving.queue.durable import prepare_queue
from llmsynth_serving.service import Service
from llmsynth_serving.settings import PREFIX, ServiceSettings
from llmsynth_serving.storage import Storage

from llmsynth.schema.inference import infer_schema

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
WORKER = (
    "from llmsynth_serving.queue.worker import run_worker; "
    "from llmsynth_serving.settings import ServiceSettings; "
    "import sys; run_worker(ServiceSettings.from_environment(), sys.argv[1:])"
)


@dataclass
class Workplace:
    """A service's stores, its workers as real processes, and one project in it."""

    settings: ServiceSettings
    database: Database
    storage: Storage
    backlog: Backlog
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start_worker(self, queue: str = "cpu", **settings: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, **self.settings.to_environment(), "OMP_NUM_THREADS": "1"}
        environment |= {PREFIX + name: value for name, value in settings.items()}
        worker = subprocess.Popen([sys.executable, "-c", WORKER, queue], env=environment)
        self.workers.append(worker)
        return worker

    def add_table(self, table: pa.Table, name: str = "people") -> Table:
        path = f"tables/{name}.parquet"
        with self.storage.writing(path) as file:
            pq.write_table(table, file)
        record = Table(
            project_id="p1",
            name=name,
            num_rows=table.num_rows,
            num_columns=table.num_columns,
            num_bytes=self.storage.size(path),
            path=path,
            schema=json.loads(infer_schema(table).to_json()),
        )
        with self.database.session() as session:
            session.add(record)
        return record

    def add_fit(self, table: Table, **settings: Any) -> Job:
        synthesizer = Synthesizer(project_id="p1", name="s", table_id=table.id)
        with self.database.session() as session:
            session.add(synthesizer)
        spec = {"table_id": table.id, "synthesizer_id": synthesizer.id, "settings": settings}
        return self.submit(Job(project_id="p1", name="fit", kind="fit", spec=spec))

    def submit(self, job: Job) -> Job:
        with self.database.session() as session:
            session.add(job)
            session.flush()
            divide(session, job, self.settings)
        self.backlog.submit(job)
        return job

    def job(self, job_id: str) -> Job:
        with self.database.session() as session:
            job = session.get(Job, job_id)
        assert job is not None
        return job

    def wait(self, job: Job, until: Callable[[Job], bool], seconds: float = 60) -> Job:
        deadline = time.monotonic() + seconds
        while not until(found := self.job(job.id)):
            if time.monotonic() > deadline:
                raise AssertionError(f"{found.kind} {found.state} {found.progress} {found.error}")
            time.sleep(0.1)
        return found

    def wait_for_end(self, job: Job, seconds: float = 90) -> Job:
        return self.wait(job, lambda found: found.finished_at is not None, seconds)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A real server of this test run; where none is installed, a skip, in CI a failure."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        postgres_server = import_module("postgres_server")
    finally:
        sys.path.remove(str(BENCHMARKS))
    try:
        postgres_server.programs()
    except postgres_server.NoPostgresError as error:
        if os.environ.get("LLMSYNTH_REQUIRE_POSTGRES"):
            raise
        pytest.skip(str(error))
    with postgres_server.running() as server:
        yield server


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """Address of an empty database: embedded, or what `on_both_databases` asks for."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return ""
    server = request.getfixturevalue("postgres")
    return str(server.create(f"test_{uuid.uuid4().hex}"))


@pytest.fixture
def workplace(tmp_path: Path, database_url: str) -> Iterator[Workplace]:
    settings = ServiceSettings(
        home=tmp_path / "home",
        database_url=database_url,
        beat_seconds=0.5,
        lease_seconds=2.5,
        poll_seconds=0.2,
        drain_seconds=0,
        part_rows=16_384,
        shard_rows=16_384,
    )
    prepare_queue(settings.queue)
    database = Database(settings.database)
    upgrade(database)
    with database.session() as session:
        session.add(Project(id="p1", name="one"))
    place = Workplace(settings, database, Storage(settings.storage), Backlog(database, settings))
    yield place
    for worker in place.workers:
        if worker.poll() is None:
            worker.send_signal(signal.SIGTERM)
    for worker in place.workers:
        worker.wait(timeout=20)
    place.backlog.close()
    database.close()


@dataclass(frozen=True)
class Office:
    """The API in this process without workers: two projects, a key of each scope in both."""

    client: TestClient
    service: Service
    keys: dict[tuple[str, str], str]

    def headers(self, project: str = "p1", scope: str = "admin") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[project, scope]}"}

    def upload(self, data: bytes, **query: str) -> Any:
        params = {"name": "people", **query}
        headers = self.headers(scope="write")
        return self.client.post("/v1/tables", params=params, content=data, headers=headers)

    def add_synthesizer(self, **values: Any) -> Synthesizer:
        return self._added(Synthesizer(project_id="p1", name="s", **values))

    def add_job(self, **values: Any) -> Job:
        return self._added(Job(project_id="p1", name="j", kind="fit", **values))

    def add_report(self) -> Report:
        path = "reports/r/1"
        for name, content in (("report.json", b"{}"), ("report.html", b"<html></html>")):
            with self.service.storage.writing(f"{path}/{name}") as file:
                file.write(content)
        return self._added(Report(project_id="p1", name="r", path=path, summary={}))

    def _added(self, record: Any) -> Any:
        with self.service.database.session() as session:
            session.add(record)
        return record


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    home = tmp_path_factory.mktemp("office")
    settings = ServiceSettings(home=home, max_upload_bytes=2_000_000, requests_per_minute=100_000)
    migrate(settings)
    app = create_app(settings)
    service = app.state.service
    keys = {}
    with service.database.session() as session:
        session.add_all([Project(id="p1", name="one"), Project(id="p2", name="two")])
        session.flush()
        for project in ("p1", "p2"):
            for scope in SCOPES:
                made = create_key(session, project_id=project, name=scope, scope=scope)
                keys[project, scope] = made[1]
    with TestClient(app) as client:
        yield Office(client, service, keys)
