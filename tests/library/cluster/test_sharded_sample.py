"""A table drawn as shards: the one table there is, whatever happened on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llmsynth import Synthesizer, sample_shards
from llmsynth.cluster.manifest import NAME
from llmsynth.cluster.shard_plan import plan, shard_rows
from llmsynth.errors import ConditionError, MissingExtraError, SettingsError
from llmsynth.generation.generator import SamplingSettings
from llmsynth.progress import Step

ROWS = 50_000
SEED = SamplingSettings(seed=5)


def _manifest(folder: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((folder / NAME).read_text())
    return facts


def _hashes(folder: Path) -> list[str]:
    return [shard["sha256"] for shard in _manifest(folder)["shards"]]


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """What tells a file that was written again from one that was left alone."""
    found = {path.name: path.stat() for path in folder.glob("part-*")}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in found.items()}


def _stop_after(shards: int) -> tuple[Callable[[Step], None], Callable[[], bool]]:
    seen: list[float] = []

    def progress(step: Step) -> None:
        seen.append(step.done)

    return progress, lambda: len(seen) > shards


@pytest.fixture(scope="module")
def whole(bundle: Path) -> pa.Table:
    return Synthesizer.load(bundle).sample(ROWS, seed=5).table


@pytest.fixture(scope="module")
def shards(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards") / "rows"
    report = sample_shards(bundle, ROWS, folder, settings=SEED)
    assert (report.rows, report.asked, report.stopped) == (ROWS, ROWS, "complete")
    return folder


def test_shards_cover_every_row_once_and_begin_at_blocks() -> None:
    for rows in (1, 256, 257, 16_384, 2_000_000, 1_000_000_000):
        for block in (256, 16_384):
            each = shard_rows(rows, block)
            cut = plan(rows, each)
            assert each % block == 0
            assert sum(shard.rows for shard in cut) == rows
            assert all(shard.first_row == shard.index * each for shard in cut)
            assert [shard.file for shard in cut] == sorted(shard.file for shard in cut)
    assert len(plan(2_000_000, shard_rows(2_000_000, 16_384))) == 62
    assert shard_rows(1_000_000_000, 16_384) == 262_144


def test_the_shards_are_the_table_of_a_single_run(shards: Path, whole: pa.Table) -> None:
    assert pq.read_table(shards).equals(whole)
    facts = _manifest(shards)
    assert (facts["complete"], facts["rows"], len(facts["shards"])) == (True, ROWS, 4)
    assert [shard["first_row"] for shard in facts["shards"]] == [0, 16384, 32768, 49152]


def test_a_run_that_was_stopped_goes_on_and_draws_nothing_twice(
    bundle: Path, shards: Path, tmp_path: Path
) -> None:
    progress, is_stopped = _stop_after(2)
    out = tmp_path / "rows"
    cut = sample_shards(bundle, ROWS, out, settings=SEED, progress=progress, is_stopped=is_stopped)
    assert (cut.stopped, cut.rows, cut.is_partial) == ("interrupted", 32_768, True)
    before = _stamps(out)
    assert len(before) == 2
    assert sample_shards(bundle, ROWS, out, settings=SEED).stopped == "complete"
    assert {name: _stamps(out)[name] for name in before} == before
    assert _hashes(out) == _hashes(shards)


def test_a_shard_that_nobody_heard_of_is_found_again(
    bundle: Path, shards: Path, tmp_path: Path
) -> None:
    out = tmp_path / "rows"
    sample_shards(bundle, ROWS, out, settings=SEED)
    facts = _manifest(out)
    facts["shards"] = [shard for shard in facts["shards"] if shard["index"] != 1]
    (out / NAME).write_text(json.dumps(facts))
    before = _stamps(out)
    sample_shards(bundle, ROWS, out, settings=SEED)
    assert _stamps(out) == before
    assert _hashes(out) == _hashes(shards)


def test_a_shard_that_is_gone_is_drawn_again(bundle: Path, shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows"
    sample_shards(bundle, ROWS, out, settings=SEED)
    (out / "part-000002.parquet").unlink()
    sample_shards(bundle, ROWS, out, settings=SEED)
    assert _hashes(out) == _hashes(shards)


def test_a_killed_process_leaves_whole_shards_only_and_never_saw_ray(
    bundle: Path, shards: Path, tmp_path: Path
) -> None:
    out = tmp_path / "rows"
    code = (
        "import os, signal, sys\n"
        "from llmsynth import sample_shards\n"
        "from llmsynth.generation.generator import SamplingSettings\n"
        "import llmsynth.cluster.shard_writer as writer\n"
        "plain = writer.ShardWriter._plain\n"
        "seen = []\n"
        "def dying(self, chunk):\n"
        "    seen.append(chunk)\n"
        "    if len(seen) == 3:\n"
        "        print(*sys.modules, flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return plain(self, chunk)\n"
        "writer.ShardWriter._plain = dying\n"
        "sample_shards(sys.argv[1], int(sys.argv[2]), sys.argv[3], "
        "settings=SamplingSettings(seed=5))\n"
    )
    command = [sys.executable, "-c", code, str(bundle), str(ROWS), str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, timeout=240, env=environment, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL
    left = [path.name for path in out.iterdir() if path.name.startswith(".part")]
    assert len(left) <= 1
    assert pq.read_table(out).num_rows % 16_384 == 0
    before = _stamps(out)
    sample_shards(bundle, ROWS, out, settings=SEED)
    assert {name: _stamps(out)[name] for name in before} == before
    assert _hashes(out) == _hashes(shards)
    assert "ray" not in ended.stdout.split()
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def test_another_order_is_refused(bundle: Path, shards: Path) -> None:
    with pytest.raises(SettingsError, match=r"another table: it differs in seed"):
        sample_shards(bundle, ROWS, shards, settings=SamplingSettings(seed=6))
    with pytest.raises(SettingsError, match=r"differs in rows, where"):
        sample_shards(bundle, ROWS + 1, shards, settings=SEED, where={"city": "Oslo"})


def test_a_folder_with_other_files_is_refused(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SettingsError, match=r"holds notes\.txt"):
        sample_shards(bundle, 10, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_shard_of_another_table_is_not_taken_for_ones_own(bundle: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "rows", tmp_path / "other"
    sample_shards(bundle, 40, out, settings=SEED)
    sample_shards(bundle, 40, other, settings=SamplingSettings(seed=6))
    facts = _manifest(out)
    facts["shards"] = []
    (out / NAME).write_text(json.dumps(facts))
    (other / "part-000000.parquet").replace(out / "part-000000.parquet")
    with pytest.raises(SettingsError, match="shard of another table"):
        sample_shards(bundle, 40, out, settings=SEED)


def test_what_cannot_be_drawn_is_refused_before_a_folder_is_made(
    bundle: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConditionError, match="No column 'town'"):
        sample_shards(bundle, 10, tmp_path / "rows", where={"town": "Oslo"})
    with pytest.raises(SettingsError, match="one row or more"):
        sample_shards(bundle, None, tmp_path / "rows")
    assert not (tmp_path / "rows").exists()


def test_an_address_nothing_reaches_is_refused(bundle: Path) -> None:
    with pytest.raises(SettingsError, match="no such kind of address"):
        sample_shards(bundle, 10, "nowhere://bucket/rows")
    with pytest.raises(MissingExtraError, match="cannot be reached"):
        sample_shards(bundle, 10, "dropbox://rows")


def test_conditions_and_given_rows_reach_their_shards(bundle: Path, tmp_path: Path) -> None:
    given = pa.table({"age": np.arange(20_000) % 60 + 18})
    sample_shards(bundle, None, tmp_path / "given", settings=SEED, given=given)
    rows = pq.read_table(tmp_path / "given")
    assert rows["age"].to_pylist() == given["age"].to_pylist()
    assert rows.equals(Synthesizer.load(bundle).sample(given=given, seed=5).table)
    sample_shards(bundle, 17_000, tmp_path / "where", settings=SEED, where={"city": "Lima"})
    assert set(pq.read_table(tmp_path / "where")["city"].to_pylist()) == {"Lima"}


def test_time_ends_a_run_between_shards(bundle: Path, tmp_path: Path) -> None:
    settings = SamplingSettings(seed=5, max_seconds=1e-6)
    report = sample_shards(bundle, ROWS, tmp_path / "rows", settings=settings)
    assert (report.stopped, report.rows) == ("time", 0)
    assert sample_shards(bundle, ROWS, tmp_path / "rows", settings=SEED).rows == ROWS


def test_a_bucket_shows_whole_shards_under_their_names(bundle: Path, shards: Path) -> None:
    address = "memory://bucket/rows"
    sample_shards(bundle, ROWS, address, settings=SEED)
    files = fsspec.filesystem("memory")
    names = sorted(path.rsplit("/", 1)[-1] for path in files.find("/bucket/rows"))
    assert names == sorted([NAME, *(path.name for path in shards.glob("part-*"))])
    facts = json.loads(files.cat("/bucket/rows/" + NAME))
    assert [shard["sha256"] for shard in facts["shards"]] == _hashes(shards)
    files.rm("/bucket", recursive=True)
