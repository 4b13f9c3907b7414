"""The process that does one job: reads its id from standard input, writes JSON lines.

A job has a process of its own because work that holds the interpreter lock would silence the
worker's beat, because killing a process is the one cancellation that always works, and because a
GPU's memory is surely free afterwards. It starts before its job is known, so that the imports are
done by then.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from typing import TextIO

from llmsynth.errors import LlmsynthError
from llmsynth_serving.jobs.context import JobContext
from llmsynth_serving.jobs.kinds import body
from llmsynth_serving.queue.parent import die_with_parent
from llmsynth_serving.settings import ServiceSettings

ALIVE_SECONDS = 2.0


def main() -> int:
    """Do the one job that standard input names; 0 also where the job failed by its own fault."""
    die_with_parent()
    lines = _Lines(os.dup(1))
    os.dup2(2, 1)  # what a library prints must not end among the messages
    _warm_up()
    lines.write({"ready": True})
    job_id = sys.stdin.readline().strip()
    if not job_id:
        return 0
    threading.Thread(target=_end_with_input, daemon=True).start()
    threading.Thread(target=lines.keep_alive, daemon=True).start()
    settings = ServiceSettings.from_environment()
    try:
        context = JobContext.open(job_id, settings, send=lines.write)
        lines.write({"result": body(context.kind)(context)})
    except LlmsynthError as error:
        problem = {"type": type(error).__name__, "detail": error.message, "hint": error.hint}
        lines.write({"error": problem, "permanent": not error.retryable})
    return 0


class _Lines:
    def __init__(self, descriptor: int) -> None:
        self._file: TextIO = os.fdopen(descriptor, "w", buffering=1, encoding="utf-8")
        self._lock = threading.Lock()

    def write(self, message: dict[str, object]) -> None:
        with self._lock:
            self._file.write(json.dumps(message) + "\n")

    def keep_alive(self) -> None:
        # The parent notices at a line that the job has been given to somebody else.
        while not threading.Event().wait(ALIVE_SECONDS):
            self.write({"alive": True})


def _end_with_input() -> None:
    # Not sys.stdin: a thread that waits in its lock breaks the interpreter's own end.
    while os.read(0, 4096):
        pass
    os._exit(137)


def _warm_up() -> None:
    for name in ("pyarrow", "torch", "llmsynth.synthesizers.synthesizer"):
        importlib.import_module(name)


if __name__ == "__main__":
    sys.exit(main())
