"""The process that does one job: its socket gives the job's id, and takes JSON lines.

A job has a process of its own because work that holds the interpreter lock would silence the
worker's beat, because killing a process is the one cancellation that always works, and because a
GPU's memory is surely free afterwards. It is forked from one that has done the imports.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
import threading
from typing import TextIO

from llmsynth.errors import LlmsynthError
from llmsynth_serving.jobs.context import JobContext
from llmsynth_serving.jobs.kinds import body
from llmsynth_serving.processes.fork_server import serve
from llmsynth_serving.settings import ServiceSettings

ALIVE_SECONDS = 2.0
WARM = ("pyarrow.parquet", "sqlalchemy", "torch", "llmsynth.synthesizers.synthesizer")


def main() -> int:
    """Import what jobs need, then be forked from."""
    os.dup2(2, 1)  # what a library prints belongs in the log
    for name in WARM:
        importlib.import_module(name)
    return serve(work)


def work(connection: socket.socket) -> None:
    """Do the one job that the connection names; an error of the job's own is told, not raised."""
    lines = _Lines(connection.makefile("w", encoding="utf-8"))
    job_id = connection.makefile("r", encoding="utf-8").readline().strip()
    threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
    threading.Thread(target=lines.keep_alive, daemon=True).start()
    settings = ServiceSettings.from_environment()
    try:
        context = JobContext.open(job_id, settings, send=lines.write)
        lines.write({"result": body(context.kind)(context)})
    except LlmsynthError as error:
        problem = {"type": type(error).__name__, "detail": error.message, "hint": error.hint}
        lines.write({"error": problem, "permanent": not error.retryable})


class _Lines:
    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._lock = threading.Lock()

    def write(self, message: dict[str, object]) -> None:
        with self._lock:
            self._file.write(json.dumps(message) + "\n")
            self._file.flush()

    def keep_alive(self) -> None:
        # The parent notices at a line that the job has been given to somebody else.
        while not threading.Event().wait(ALIVE_SECONDS):
            self.write({"alive": True})


def _end_with(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass
    os._exit(137)


if __name__ == "__main__":
    sys.exit(main())
