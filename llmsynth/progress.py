"""How long work tells whoever waits for it how far it has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Step:
    """One report of progress."""

    stage: str
    """What is going on: `train` or `sample`."""
    done: float
    total: float
    """Share done is `done / total`; the unit is the stage's own (schedule share, rows)."""
    loss: float | None = None
    """Training loss of late, nats a row."""
    seconds_left: float | None = None


class Progress(Protocol):
    """Receives progress reports; must return quickly."""

    def __call__(self, step: Step) -> None: ...


def silent(step: Step) -> None:
    """Ignore every report."""
