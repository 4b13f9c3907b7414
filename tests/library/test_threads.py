"""Threads by what the process may use, waiting without spinning, before torch is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmsynth.threads import available_processors, num_threads, prepare_threads


def group(tmp_path: Path, line: str, **files: str) -> dict[str, Path]:
    (tmp_path / "own").write_text(line)
    for name, text in files.items():
        path = tmp_path / "groups" / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {"cgroups": tmp_path / "groups", "own_group": tmp_path / "own"}


def test_a_quota_of_version_2_counts_also_where_a_group_around_sets_it(tmp_path: Path) -> None:
    unlimited = {"a__b__cpu_dot_max": "max 100000"}
    inside = group(tmp_path, "0::/a/b\n", **unlimited, a__cpu_dot_max="50000 100000")
    assert available_processors(**inside) == 0.5
    (tmp_path / "c").mkdir()
    container = group(tmp_path / "c", "0::/a/b\n", cpu_dot_max="30000 100000")
    assert available_processors(**container) == 0.3


def test_a_quota_of_version_1_counts_and_none_is_none(tmp_path: Path) -> None:
    files = {"cpu__x__cpu_dot_cfs_quota_us": "25000", "cpu__x__cpu_dot_cfs_period_us": "100000"}
    inside = group(tmp_path, "4:cpu,cpuacct:/x\n3:memory:/x\n", **files)
    assert available_processors(**inside) == 0.25
    (tmp_path / "groups/cpu/x/cpu.cfs_quota_us").write_text("-1")
    assert available_processors(**inside) == len(os.sched_getaffinity(0))


def test_a_broken_or_absent_group_sets_no_limit(tmp_path: Path) -> None:
    broken = group(tmp_path, "0::/\n", cpu_dot_max="soon")
    assert available_processors(**broken) == len(os.sched_getaffinity(0))
    nowhere = tmp_path / "nowhere"
    assert available_processors(cgroups=nowhere, own_group=nowhere) >= 1


def test_what_the_user_set_stays() -> None:
    environment = {"OMP_WAIT_POLICY": "ACTIVE", "OMP_NUM_THREADS": "7"}
    prepare_threads(environment)
    assert environment["OMP_WAIT_POLICY"] == "ACTIVE"
    assert environment["OMP_NUM_THREADS"] == "7"
    assert environment["KMP_BLOCKTIME"] == "0"


@pytest.mark.parametrize("package", ["llmsynth", "llmsynth_eval", "llmsynth_serving"])
def test_every_package_has_threads_wait_without_spinning(package: str) -> None:
    code = f"import {package}.cli, os, sys; print(os.environ['OMP_WAIT_POLICY'])"
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OMP", "KMP", "GOMP"))}
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "PASSIVE"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity to set here")
def test_one_processor_of_several_is_one_thread_in_torch_too() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "import llmsynth, torch; print(torch.get_num_threads())"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OMP")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1"
    assert num_threads() >= 1
