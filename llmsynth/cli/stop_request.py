"""Ctrl-C as a request: the first is noticed between two pieces of work, a second interrupts."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Self

_STDERR = 2
_ANSWER = b"\nending with the rows under way; Ctrl-C again ends at once\n"


class StopRequest:
    """Inside its `with` block the first Ctrl-C only sets `is_made` and says so on stderr.

    Where Ctrl-C is ignored or handled by somebody else already, or outside the main thread, it
    changes nothing.
    """

    def __init__(self) -> None:
        self.is_made = False
        self._is_installed = False

    def __enter__(self) -> Self:
        is_ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if is_ours and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._make)
            self._is_installed = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def _make(self, number: int, frame: FrameType | None) -> None:
        self.is_made = True
        self._restore()
        # Not sys.stderr: the signal may have come in the middle of a write to it.
        os.write(_STDERR, _ANSWER)

    def _restore(self) -> None:
        if self._is_installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._is_installed = False
