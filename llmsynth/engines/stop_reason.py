"""Why a row has no more tokens, whichever engine drew it."""

from __future__ import annotations

from enum import IntEnum


class StopReason(IntEnum):
    """Why a row has no more tokens."""

    RUNNING = 0
    FINISHED = 1
    MAX_NEW_TOKENS = 2
    CONTEXT_LENGTH = 3
    MAX_SECONDS = 4
    ENGINE_FAILED = 5
    """A server gave the row up, could not be reached, or wrote something that is no row."""
