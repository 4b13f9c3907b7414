"""API and one worker side by side in one terminal; when one ends, so does the other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from types import FrameType

from llmsynth_serving.settings import ServiceSettings

PARTS = (("api",), ("worker",))
LOOK_SECONDS = 0.2
END_SECONDS = 20.0


def run_both(settings: ServiceSettings) -> int:
    """Run until Ctrl-C, SIGTERM, or the end of either; the exit status of the first that ended."""
    wanted_end: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        wanted_end.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    environment = {**os.environ, **settings.to_environment()}
    command = [sys.executable, "-m", "llmsynth_serving"]
    # Of their own session: Ctrl-C reaches this process alone, which then ends them in order.
    parts = [
        subprocess.Popen(
            [*command, *part, "--with-parent"], env=environment, start_new_session=True
        )
        for part in PARTS
    ]
    try:
        while not wanted_end and all(part.poll() is None for part in parts):
            time.sleep(LOOK_SECONDS)
    finally:
        statuses = [part.poll() for part in parts]
        _end(parts)
    return next((status for status in statuses if status), 0)


def _end(parts: list[subprocess.Popen[bytes]]) -> None:
    for part in parts:
        if part.poll() is None:
            part.terminate()
    deadline = time.monotonic() + END_SECONDS
    for part in parts:
        try:
            part.wait(max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            part.kill()
            part.wait()
