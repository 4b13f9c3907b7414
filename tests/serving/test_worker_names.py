"""What a worker's name tells those beside it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from llmsynth_serving.queue import worker_names
from llmsynth_serving.queue.worker_names import has_ended, worker_name

NAME = "from llmsynth_serving.queue.worker_names import worker_name; print(worker_name())"


@pytest.mark.skipif(sys.platform != "linux", reason="processes are seen in /proc")
def test_a_name_tells_on_its_machine_whether_its_process_has_ended() -> None:
    assert not has_ended(worker_name())
    process = subprocess.Popen(
        [sys.executable, "-c", f"{NAME}; import sys; sys.stdout.flush(); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    assert not has_ended(name)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert has_ended(name), "it is dead, though nobody has waited for it"
    process.communicate()
    assert has_ended(name)


@pytest.mark.parametrize("name", ["w", "gone", "a-1", "host-999999999-0123456789abcdef", "h-x-y"])
def test_of_another_machines_worker_nothing_is_said(name: str) -> None:
    assert not has_ended(name)


def test_names_are_never_the_same_and_say_nothing_without_a_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert worker_name() != worker_name()
    monkeypatch.setattr(worker_names, "_place", lambda: "")
    host, number, rest = worker_name().rsplit("-", 2)
    assert (host, number, len(rest)) == (os.uname().nodename, str(os.getpid()), 8)
    assert not has_ended(f"{host}-999999999-{rest}")
