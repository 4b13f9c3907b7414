"""Where requests ask for a few rows: one clerk behind it, and never a long wait."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as OutOfTimeError
from typing import IO, Any

import structlog

from llmsynth_serving.settings import ServiceSettings

CLERK = (sys.executable, "-m", "llmsynth_serving.rows.clerk")
MOST_WAITING = 16
"""Orders that wait for the clerk; who comes later is sent to the queue at once."""
_log = structlog.get_logger("llmsynth.rows")
Answer = dict[str, Any]


class RowDesk:
    """Hands orders to a clerk process, which starts with the first one; safe among threads."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._clerk: subprocess.Popen[str] | None = None
        self._waiting: dict[int, Future[Answer]] = {}
        self._number = 0

    def ask(self, order: Mapping[str, Any], *, seconds: float) -> Answer | None:
        """The clerk's answer; None where it takes longer, as it does with a cold synthesizer.

        Args:
            order: path, rows, where, temperature, top_p, seed.
        """
        promised = self._hand_over(order)
        if promised is None:
            return None
        try:
            return promised.result(seconds)
        except (OutOfTimeError, BrokenPipeError):
            return None

    def close(self) -> None:
        """Send the clerk home."""
        with self._lock:
            if self._clerk is not None:
                self._clerk.terminate()
                self._clerk.wait()
                self._clerk = None

    def _hand_over(self, order: Mapping[str, Any]) -> Future[Answer] | None:
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                return None
            clerk = self._present()
            self._number += 1
            promised: Future[Answer] = Future()
            self._waiting[self._number] = promised
            assert clerk.stdin is not None
            try:
                clerk.stdin.write(json.dumps({"order": self._number, **order}) + "\n")
                clerk.stdin.flush()
            except BrokenPipeError:
                del self._waiting[self._number]
                return None
            return promised

    def _present(self) -> subprocess.Popen[str]:
        if self._clerk is None or self._clerk.poll() is not None:
            # It ends with its input, so also when this process is killed.
            self._clerk = subprocess.Popen(
                CLERK,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **self._settings.to_environment()},
                text=True,
                start_new_session=True,
            )
            assert self._clerk.stdout is not None
            threading.Thread(target=self._listen, args=(self._clerk.stdout,), daemon=True).start()
        return self._clerk

    def _listen(self, answers: IO[str]) -> None:
        for line in answers:
            answer = json.loads(line)
            with self._lock:
                promised = self._waiting.pop(answer.pop("order"), None)
            if promised is not None:
                promised.set_result(answer)
        with self._lock:
            lost, self._waiting = self._waiting, {}
        if lost:
            _log.warning("clerk_lost", orders=len(lost))
        for promised in lost.values():
            promised.set_exception(BrokenPipeError("the clerk is gone"))
