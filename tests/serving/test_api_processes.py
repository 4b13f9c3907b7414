"""Several API processes on one address, which die one by one and all together."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
from llmsynth_serving.client import Client

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PATIENCE_SECONDS = 90.0


@pytest.fixture
def processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = import_module("service_processes")
    processes = module.Processes(tmp_path / "place", api_processes=2)
    processes.start_api()
    yield processes
    processes.stop()


def children(pid: int) -> list[int]:
    """Those that answer; beside them there is one that watches for what is left behind."""
    found = (int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [number for number in found if "spawn_main" in command_of(number)]


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:  # it has ended
        return ""


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc, and ties processes by prctl")
def test_several_api_processes_share_one_address_and_one_fate(processes: Any) -> None:
    first = processes.api.pid
    wait_until(lambda: len(children(first)) == 2)
    with closing(Client(processes.url, processes.key)) as client:
        table = client.upload(b"x,y\n1,2\n3,4\n", name="few")
        # Every request on a connection of its own, so that both processes are asked.
        headers = {"Authorization": f"Bearer {processes.key}"}
        for _ in range(20):
            seen = httpx.get(f"{processes.url}/v1/tables/{table.id}", headers=headers, timeout=30)
            assert seen.status_code == 200
    before = children(first)
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: len(set(children(first)) - set(before)) == 1)
    wait_until(processes.is_ready)
    left = children(first)
    processes.api.kill()
    processes.api.wait()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left))
    assert not processes.is_ready()
