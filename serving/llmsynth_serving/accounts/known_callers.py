"""Keys that were right a moment ago, so that a busy program's key is not looked up each time."""

from __future__ import annotations

import time
from collections import OrderedDict
from hashlib import sha256
from threading import Lock

from llmsynth_serving.accounts.keys import Caller

KNOWN_SECONDS = 2.0
"""How long a key that was revoked by another process may still be let in by this one."""
MOST_KNOWN = 1024


class KnownCallers:
    """Callers by a digest of their key, each for a moment; safe among threads."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()
        self._lock = Lock()

    def find(self, text: str) -> Caller | None:
        """Whose key it is, where that was found out a moment ago."""
        with self._lock:
            caller, until = self._known.get(_digest(text), (None, 0.0))
        return caller if time.monotonic() < until else None

    def remember(self, text: str, caller: Caller) -> None:
        """Note whose key it is, as the database says by now."""
        with self._lock:
            self._known.pop(_digest(text), None)
            self._known[_digest(text)] = caller, time.monotonic() + KNOWN_SECONDS
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)

    def forget(self) -> None:
        """Look everybody up anew: a key has changed."""
        with self._lock:
            self._known.clear()


def _digest(text: str) -> bytes:
    return sha256(text.encode()).digest()
