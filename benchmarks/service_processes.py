"""A service as real processes, its API and its workers, started, killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

READY_SECONDS = 180.0
END_SECONDS = 60.0
SERVE = (sys.executable, "-m", "llmsynth_serving")


@dataclass
class Processes:
    """One API and its workers over one home folder.

    Args:
        home: the service's folder, and the logs.
        database_url: empty for the embedded default.
        more: further settings, by their environment variables less the prefix.
        api_processes: how many answer on the one port.
    """

    home: Path
    database_url: str = ""
    more: Mapping[str, str] = field(default_factory=dict)
    api_processes: int = 1
    port: int = 0
    key: str = ""
    api: subprocess.Popen[bytes] | None = None
    workers: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    """By place, which stays where the process changes."""

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.port = self.port or _free_port()
        asked = subprocess.run(
            [*SERVE, "init"], env=self.environment, capture_output=True, check=True
        )
        self.key = asked.stdout.decode().strip()

    @property
    def url(self) -> str:
        """Where the API listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Settings of every process of the service."""
        given = {
            "HOME": str(self.home / "service"),
            "PORT": str(self.port),
            "DATABASE_URL": self.database_url,
            "REQUESTS_PER_MINUTE": "1000000",
            **self.more,
        }
        settings = {f"LLMSYNTH_SERVE_{name}": value for name, value in given.items()}
        return {**os.environ, "OMP_NUM_THREADS": "1", **settings}

    def start_api(self, *, wait: bool = True) -> subprocess.Popen[bytes]:
        """Start the API, and wait until it answers."""
        self.api = self._start("api", "--processes", str(self.api_processes))
        if wait:
            self.wait_until_ready()
        return self.api

    def start_worker(self, place: int) -> subprocess.Popen[bytes]:
        """Start the worker of a place."""
        self.workers[place] = self._start("worker")
        return self.workers[place]

    def wait_until_ready(self) -> None:
        """Wait until the API answers.

        Raises:
            RuntimeError: it ended, or took too long.
        """
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            assert self.api is not None
            if self.api.poll() is not None:
                raise RuntimeError(f"The API ended; see {self.home / 'log'}.")
            if self.is_ready():
                return
            time.sleep(0.2)
        raise RuntimeError("The API did not get ready.")

    def is_ready(self) -> bool:
        """Whether the API answers, and has its database."""
        try:
            return httpx.get(f"{self.url}/ready", timeout=20).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """End everything that runs, in order."""
        running = [p for p in (self.api, *self.workers.values()) if p and p.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()

    def _start(self, *part: str) -> subprocess.Popen[bytes]:
        with (self.home / "log").open("ab") as log:
            return subprocess.Popen(
                [*SERVE, *part, "--with-parent"],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    direct = [int(word) for file in children for word in _words(file)]
    return [pid, *(found for child in direct for found in family(child))]


def processor_seconds(pids: list[int]) -> float:
    """Time that processes have taken so far, their ended children not counted."""
    ticks = 0
    for pid in pids:
        words = _words(Path(f"/proc/{pid}/stat"))
        ticks += sum(int(word) for word in words[13:15]) if words else 0
    return ticks / os.sysconf("SC_CLK_TCK")


def peak_bytes(pid: int) -> int:
    """The most memory that a process has held so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return 0


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:  # it has ended
        return []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
