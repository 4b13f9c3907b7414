"""Ties a process's life to that of the one that started it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def die_with_parent(number: signal.Signals = signal.SIGKILL, *, parent: int | None = None) -> None:
    """Have the kernel send this process a signal when its parent is gone (Linux).

    Args:
        parent: who started it; where that one is gone already, it ends at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, number)
        if parent is not None and os.getppid() != parent:
            raise SystemExit(1)
