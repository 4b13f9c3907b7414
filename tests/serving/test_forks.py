"""Processes forked from one that has done its imports: quick, alone, and gone when told."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from llmsynth_serving.processes.forks import Forks

BODY = """
import json, os, signal, sys
from llmsynth_serving.processes.fork_server import serve
LOADED = os.getpid()

def work(connection):
    question = json.loads(connection.makefile("r").readline())
    if question == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if question == "sleep":
        signal.pause()
    connection.sendall(json.dumps([LOADED, os.getpid(), question]).encode() + b"\\n")

sys.exit(serve(work))
"""


@pytest.fixture
def forks(tmp_path: Path) -> Iterator[Forks]:
    (tmp_path / "llmsynth_test_body.py").write_text(BODY)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    forks = Forks("llmsynth_test_body", {**os.environ, "PYTHONPATH": path})
    yield forks
    forks.close()


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def asked(forks: Forks, question: str) -> list[object]:
    return list(json.loads(forks.ask(question, seconds=60)))


def test_every_question_has_a_process_of_its_own_and_one_import(forks: Forks) -> None:
    first, second = asked(forks, "a"), asked(forks, "b")
    assert first[0] == second[0]
    assert len({first[0], first[1], second[1]}) == 3
    assert (first[2], second[2]) == ("a", "b")


def test_a_process_that_dies_answers_nothing_and_harms_no_other(forks: Forks) -> None:
    server = asked(forks, "a")[0]
    assert forks.ask("die", seconds=60) == b""
    assert asked(forks, "b")[0] == server


def test_one_that_takes_too_long_is_ended(forks: Forks) -> None:
    with pytest.raises(TimeoutError):
        forks.ask("sleep", seconds=0.2)
    assert asked(forks, "b")[2] == "b"


def test_a_fork_that_is_killed_is_gone_and_its_socket_ends(forks: Forks) -> None:
    fork = forks.start()
    assert is_alive(fork.pid)
    forks.kill(fork)
    wait_until_gone(fork.pid)
    with fork.socket as connection:
        connection.settimeout(10)
        assert connection.recv(1) == b""
    forks.kill(fork)


def test_forks_end_with_their_server_and_the_next_one_has_a_new_server(forks: Forks) -> None:
    server = asked(forks, "a")[0]
    fork = forks.start()
    os.kill(int(str(server)), 9)
    wait_until_gone(fork.pid)
    assert asked(forks, "b")[0] != server
    fork.socket.close()


def test_what_is_left_running_ends_when_the_asker_closes(forks: Forks) -> None:
    fork = forks.start()
    assert isinstance(fork.socket, socket.socket)
    forks.close()
    wait_until_gone(fork.pid)
    fork.socket.close()
