"""A worker's name: no other start has it, and on its own machine it tells whether it has ended."""

from __future__ import annotations

import os
from functools import cache
from hashlib import sha256
from pathlib import Path

_PLACE_DIGITS = 8
_ENDED = ("Z", "X")
"""States of a process that is dead, and only not yet waited for (proc(5))."""


def worker_name() -> str:
    """A name that no other start of a worker has; under the queue's default one, they steal jobs.

    Its last part begins with where the process number before it counts.
    """
    return f"{os.uname().nodename}-{os.getpid()}-{_place()}{os.urandom(4).hex()}"


def has_ended(worker: str) -> bool:
    """Whether a worker is surely gone; False of one on another machine, which cannot be seen."""
    _, _, rest = worker.rpartition("-")
    number = worker.split("-")[-2] if worker.count("-") >= 2 else ""
    if not _place() or not number.isdigit() or not rest.startswith(_place()):
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # somebody else's: it is there
    return _state(int(number)) in _ENDED


def _state(number: int) -> str:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


@cache
def _place() -> str:
    """Tells this boot of this machine, and within it this container, from all others."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        container = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return ""  # no Linux: silence alone tells
    return sha256(f"{boot}{container}".encode()).hexdigest()[:_PLACE_DIGITS]
