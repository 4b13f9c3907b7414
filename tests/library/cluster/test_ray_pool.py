"""Shards drawn by workers on a local Ray cluster: the single machine's table, lost nodes or not."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray
from ray.cluster_utils import Cluster

from llmsynth import RaySettings, Synthesizer, demo_tables, sample_shards
from llmsynth.cluster import ray_pool
from llmsynth.cluster.manifest import NAME, ShardRecord
from llmsynth.cluster.shard_plan import Shard
from llmsynth.errors import EngineError, ModelError, SettingsError
from llmsynth.generation.generator import SamplingSettings
from llmsynth.progress import Step

SEED = SamplingSettings(seed=5)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A head without processors of its own, and two nodes of one processor each."""
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        made.add_node(num_cpus=1)
    yield made
    ray.shutdown()
    made.shutdown()


def _manifest(folder: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((folder / NAME).read_text())
    return facts


@dataclass
class NodeKiller:
    """Kills a node when so many rows are there, and notes which shards are by then."""

    cluster: Cluster
    folder: Path
    at_rows: int
    before: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __call__(self, step: Step) -> None:
        if step.done >= self.at_rows and not self.before:
            self.cluster.remove_node(self.cluster.list_all_nodes()[-1], allow_graceful=False)
            self.before = stamps(self.folder)


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    found = {path.name: path.stat() for path in folder.glob("part-*")}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in found.items()}


def _is_sound(folder: Path, killer: NodeKiller, rows: int) -> bool:
    """Every shard there once, those of before the node died untouched, nothing left half done."""
    facts = _manifest(folder)
    indices = [shard["index"] for shard in facts["shards"]]
    after = stamps(folder)
    hidden = [path for path in folder.iterdir() if path.name.startswith(".")]
    return (
        facts["complete"]
        and facts["rows"] == rows
        and indices == list(range(len(after)))
        and 0 < len(killer.before) < len(after)
        and all(after[name] == stamp for name, stamp in killer.before.items())
        and not hidden
    )


def test_a_killed_node_costs_no_row_and_no_shard_twice(
    bundle: Path, cluster: Cluster, tmp_path: Path
) -> None:
    rows, out = 400_000, tmp_path / "rows"
    killer = NodeKiller(cluster, out, at_rows=rows // 4)
    settings = RaySettings(address=cluster.address)
    report = sample_shards(bundle, rows, out, settings=SEED, ray=settings, progress=killer)
    assert report.rows == rows
    assert _is_sound(out, killer, rows)
    here = tmp_path / "here"
    sample_shards(bundle, rows, here, settings=SEED)
    assert _manifest(here)["shards"] == _manifest(out)["shards"]
    assert not ray.is_initialized()


@pytest.mark.slow
def test_two_million_rows_of_adult_outlive_a_node(cluster: Cluster, tmp_path: Path) -> None:
    made = Synthesizer(max_epochs=0.5, hidden_size=32, num_layers=1, seed=1)
    made.fit(demo_tables.load("adult").slice(0, 4000)).save(tmp_path / "adult")
    rows, out = 2_000_000, tmp_path / "rows"
    killer = NodeKiller(cluster, out, at_rows=rows // 2)
    settings = RaySettings(address=cluster.address)
    report = sample_shards(
        tmp_path / "adult", rows, out, settings=SEED, ray=settings, progress=killer
    )
    assert report.rows == rows
    assert _is_sound(out, killer, rows)
    _, chunks = Synthesizer.load(tmp_path / "adult").iter_sample(rows, settings=SEED)
    assert pq.read_table(out).equals(pa.concat_tables(chunks))


@pytest.mark.slow
def test_a_shard_that_ends_every_worker_ends_the_run(
    bundle: Path, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dying(ray_pool.ShardActor):
        def write(self, shard: Shard) -> ShardRecord:
            os._exit(1)

    monkeypatch.setattr(ray_pool, "ShardActor", Dying)
    settings = RaySettings(address=cluster.address, workers=1)
    with pytest.raises(EngineError, match=r"part-000000\.parquet cost 5 workers"):
        sample_shards(bundle, 10, tmp_path / "rows", ray=settings)


@pytest.mark.slow
def test_a_workers_own_error_comes_through(
    bundle: Path, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(ray_pool.ShardActor):
        def load(self) -> bool:
            raise ModelError("No such model here.", hint="Fetch it.")

    monkeypatch.setattr(ray_pool, "ShardActor", Refusing)
    settings = RaySettings(address=cluster.address)
    with pytest.raises(ModelError, match=r"No such model here\. Fetch it\."):
        sample_shards(bundle, 10, tmp_path / "rows", ray=settings)


@pytest.mark.slow
def test_a_run_on_ray_is_stopped_and_goes_on_without_it(
    bundle: Path, cluster: Cluster, tmp_path: Path
) -> None:
    seen: list[float] = []
    out = tmp_path / "rows"
    cut = sample_shards(
        bundle,
        400_000,
        out,
        settings=SEED,
        ray=RaySettings(address=cluster.address),
        progress=lambda step: seen.append(step.done),
        is_stopped=lambda: len(seen) > 3,
    )
    assert (cut.stopped, cut.is_partial) == ("interrupted", True)
    before = stamps(out)
    assert sample_shards(bundle, 400_000, out, settings=SEED).rows == 400_000
    assert {name: stamps(out)[name] for name in before} == before


@pytest.mark.slow
def test_a_cluster_without_room_says_so(bundle: Path, cluster: Cluster, tmp_path: Path) -> None:
    settings = RaySettings(address=cluster.address, cpus=64, start_seconds=5)
    with pytest.raises(EngineError, match="each asks for 64 processors and 0 GPUs"):
        sample_shards(bundle, 100, tmp_path / "rows", ray=settings)


def test_settings_of_ray_are_checked() -> None:
    with pytest.raises(SettingsError, match="workers must be at least 1"):
        RaySettings(workers=0)
    with pytest.raises(SettingsError, match="above 0"):
        RaySettings(cpus=0)
