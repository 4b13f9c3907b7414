"""Which vLLM engines of this process are open: the end of one must not end the others."""

from __future__ import annotations

import threading
from typing import Protocol


class Core(Protocol):
    """What of a vLLM engine is shut down."""

    def shutdown(self) -> None:
        """End it, and vLLM's groups of processes, which all engines of this process share."""


class OpenCores:
    """Shuts cores down together, once none of them is in use."""

    def __init__(self) -> None:
        self._open: list[Core] = []
        self._ended: list[Core] = []
        self._lock = threading.Lock()

    def begin(self, core: Core) -> None:
        """Count a core as in use."""
        with self._lock:
            self._open.append(core)

    def end(self, core: Core) -> None:
        """Count a core as done with; the last one shuts all down.

        Until then its memory stays taken: vLLM would take the groups of the others down with it.
        """
        with self._lock:
            self._open = [other for other in self._open if other is not core]
            self._ended.append(core)
            if self._open:
                return
            done, self._ended = self._ended, []
        for ended in done:
            ended.shutdown()
