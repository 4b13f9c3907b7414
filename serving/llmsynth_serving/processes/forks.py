"""Where forks are asked for: starts the process that they are forked from, again where it died."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass

END_SECONDS = 5.0
START_SECONDS = 120.0
ANSWER_SECONDS = 300.0


@dataclass(frozen=True)
class Fork:
    """A process, and the socket that it speaks through."""

    pid: int
    socket: socket.socket


class Forks:
    """Forks of one module, which calls `fork_server.serve`; safe among threads.

    Args:
        module: what the process that is forked from runs.
        environment: of all of them.
    """

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        self._module, self._environment = module, dict(environment)
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def warm_up(self) -> None:
        """Have the imports done before the first fork is asked for."""
        with self._lock:
            self._present()

    def start(self) -> Fork:
        """A fresh fork.

        Raises:
            OSError: none could be made, not even by a new server.
        """
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            try:
                pid = int(self._ask(b"fork\n", theirs))
            except OSError:
                self._end()
                pid = int(self._ask(b"fork\n", theirs))
        return Fork(pid, ours)

    def ask(self, question: object, *, seconds: float) -> bytes:
        """One fork's answer to one question, a line of JSON each; empty where it died over it.

        Raises:
            TimeoutError: it took longer; it is ended.
            OSError: as of `start`.
        """
        fork = self.start()
        with fork.socket:
            fork.socket.settimeout(seconds)
            try:
                with fork.socket.makefile("rwb") as lines:
                    lines.write(json.dumps(question).encode() + b"\n")
                    lines.flush()
                    return lines.readline()
            except ConnectionError:
                return b""
            finally:
                self.kill(fork)

    def kill(self, fork: Fork) -> None:
        """End a fork at once; harmless where it has ended. The socket stays the caller's."""
        # Where the server is gone its forks are gone with it.
        with self._lock, contextlib.suppress(OSError):
            if self._control is not None:
                self._ask(f"kill {fork.pid}\n".encode())

    def close(self) -> None:
        """End the server and with it all forks."""
        with self._lock:
            self._end()

    def _ask(self, message: bytes, descriptor: socket.socket | None = None) -> bytes:
        control = self._present()
        if descriptor is None:
            control.sendall(message)
        else:
            socket.send_fds(control, [message], [descriptor.fileno()])
        return _answer(control)

    def _present(self) -> socket.socket:
        if self._control is None or self._server is None or self._server.poll() is not None:
            self._end()
            ours, theirs = socket.socketpair()
            with theirs:
                self._server = subprocess.Popen(
                    [sys.executable, "-m", self._module],
                    stdin=theirs.fileno(),
                    env=self._environment,
                    start_new_session=True,
                )
            ours.settimeout(START_SECONDS)
            self._control = ours
            _answer(ours)
            ours.settimeout(ANSWER_SECONDS)
        return self._control

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._server is not None:
            self._server.terminate()
            try:
                self._server.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            self._server = None


def _answer(control: socket.socket) -> bytes:
    # One line for one question, so nothing is left of it for the next.
    answer = control.recv(64)
    if not answer:
        raise BrokenPipeError("The process that others are forked from has ended.")
    return answer
