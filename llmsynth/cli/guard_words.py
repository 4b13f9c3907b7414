"""What is said of a synthesizer whose memorization guard is not beside it."""

from __future__ import annotations

ABSENT_GUARD = (
    "The memorization guard is absent (the owner's folder is not beside the synthesizer): long "
    "spans of training texts were not held back."
)


def guard_line(state: str | None) -> str:
    """The line for `SampleReport.memorization_guard`, behind a blank; empty where none is due."""
    return f" {ABSENT_GUARD}" if state == "absent" else ""
