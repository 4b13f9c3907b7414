"""Jobs too large for one worker: which they are, and that Ray draws them to the same rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from llmsynth_serving.database.records import Job, Table
from llmsynth_serving.database.records import Synthesizer as Fitted
from llmsynth_serving.jobs.ray_work import fit_launcher, ray_settings
from llmsynth_serving.objects.shards import divide
from llmsynth_serving.queue.families import shards_of
from llmsynth_serving.queue.leftovers import parts_of
from llmsynth_serving.settings import ServiceSettings

from llmsynth import Synthesizer
from llmsynth.cluster.ray_training import RayLauncher
from llmsynth.demo_tables import load

ROWS = 300_000


@pytest.fixture
def cluster() -> Iterator[object]:
    """Two nodes of one processor each, and this process as one that asks them."""
    ray = pytest.importorskip("ray")
    made = pytest.importorskip("ray.cluster_utils").Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    for _ in range(2):
        made.add_node(num_cpus=1)
    ray.init(address=made.address, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


def _sample(rows: int, table_id: str = "t", **spec: object) -> Job:
    whole = {"synthesizer_id": "s", "table_id": table_id, "rows": rows, **spec}
    return Job(project_id="p1", name="rows", kind="sample", spec=whole)


def test_large_samples_alone_are_handed_over_where_a_cluster_is_named(workplace) -> None:
    here = workplace.settings
    there = here.changed(ray_address="head:6379", ray_rows=20_000, ray_workers=3)
    quotas = {"sex": {"Male": 0.5, "Female": 0.5}}
    for settings, job, num_shards, on in (
        (here, _sample(40_000), 3, None),
        (there, _sample(40_000), 0, "ray"),
        (there, _sample(20_000), 2, None),
        (there, _sample(10_000), 0, None),
        (there, _sample(40_000, quotas=quotas), 3, None),
    ):
        with workplace.database.session() as session:
            session.add(job)
            session.flush()
            divide(session, job, settings)
        with workplace.database.session() as session:
            assert len(shards_of(session, job.id)) == num_shards
        assert workplace.job(job.id).spec.get("on") == on
    found = ray_settings(there)
    assert (found.address, found.workers) == ("head:6379", 3)
    assert ray_settings(there.changed(ray_workers=0)).workers is None


def test_a_fit_is_handed_over_where_workers_are_named() -> None:
    settings = ServiceSettings(ray_address="head:6379", ray_rows=1_000, ray_workers=2)
    launcher = fit_launcher(settings, rows=1_001, is_private=False)
    assert isinstance(launcher, RayLauncher)
    assert launcher.settings.address == "head:6379"
    assert fit_launcher(settings, rows=1_000, is_private=False) is None
    assert fit_launcher(settings, rows=1_001, is_private=True) is None
    assert fit_launcher(settings.changed(ray_workers=0), rows=1_001, is_private=False) is None
    assert fit_launcher(settings.changed(ray_address=""), rows=1_001, is_private=False) is None


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ray_draws_a_job_to_the_rows_of_one_run_and_ends_with_it(workplace, cluster) -> None:
    import ray

    workplace.settings = workplace.settings.changed(
        ray_address=cluster.address, ray_rows=100_000, ray_workers=2
    )
    workplace.start_worker()
    fit = workplace.add_fit(workplace.add_table(load("adult").slice(0, 400)), max_epochs=1)
    synthesizer_id = workplace.wait_for_end(fit).spec["synthesizer_id"]
    order = {"synthesizer_id": synthesizer_id, "seed": 3}
    whole = workplace.submit(_sample(ROWS, "drawn", **order))
    workplace.wait(whole, lambda job: job.progress.get("done", 0) >= ROWS // 4, seconds=300)
    parts = Path(workplace.storage.address(parts_of(whole.id)).removeprefix("file://"))
    workplace.workers[0].kill()
    before = _stamps(parts)
    workplace.start_worker()
    workplace.wait(whole, lambda job: job.attempts == 2, seconds=120)
    workplace.wait(whole, lambda job: job.progress.get("done", 0) > ROWS // 2, seconds=300)
    # A worker of the killed attempt may have ended a shard between the two looks: no more.
    kept = _stamps(parts)
    assert before
    assert {name: kept[name] for name in before} == before
    ended = workplace.wait_for_end(whole, seconds=400)
    assert (ended.state, ended.error, ended.progress["done"]) == ("succeeded", None, ROWS)
    with workplace.database.session() as session:
        table = session.get(Table, "drawn")
        bundle = session.get(Fitted, synthesizer_id).path
    with workplace.storage.open(table.path) as file:
        rows = pq.read_table(file)
    with workplace.storage.local_copy(bundle, workplace.settings.home) as folder:
        assert rows.equals(Synthesizer.load(folder).sample(ROWS, seed=3).table)
    _until(lambda: not workplace.storage.exists(parts_of(whole.id)), "its parts stayed")

    cancelled = workplace.submit(_sample(2_000_000, "never", **{**order, "seed": 4}))
    workplace.wait(cancelled, lambda job: job.progress.get("done", 0) > 0, seconds=300)
    assert ray.available_resources().get("CPU", 0) < 2
    assert workplace.backlog.cancel(cancelled.id)
    _until(lambda: ray.available_resources().get("CPU", 0) == 2, "its workers went on without it")
    assert workplace.job(cancelled.id).state == "cancelled"


def _until(holds: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.5)


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    found = {path.name: path.stat() for path in folder.glob("part-*")}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in found.items()}
