"""What each metric means: a version, what good looks like, what it cannot tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A metric explained to a reader who does not know it."""

    metric: str
    version: int
    """Rises when the same tables would give another number."""
    title: str
    measures: str
    good: str
    """What good looks like."""
    blind: str
    """What the metric cannot tell."""


@cache
def all_definitions() -> dict[str, Definition]:
    """Every definition that ships with the package, by the metric's name."""
    text = files("llmsynth_eval").joinpath("definitions.json").read_bytes()
    return {entry.metric: entry for entry in msgspec.json.decode(text, type=list[Definition])}


def definitions_of(metrics: Iterable[str]) -> tuple[Definition, ...]:
    """The definitions of these metrics, in their order, each once."""
    known = all_definitions()
    return tuple(known[name] for name in dict.fromkeys(metrics))
