"""A headline: one question a stakeholder asks, answered by a test at a stated level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Answer = Literal["good", "alarm", "not measured"]
Topic = Literal["fidelity", "utility", "privacy", "text"]


@dataclass(frozen=True, kw_only=True)
class Headline:
    """One answer in words, with the test behind it."""

    name: str
    """Short key, e.g. `near_copies`."""
    topic: Topic
    question: str
    """What is asked, e.g. `Are train rows copied with small changes?`."""
    answer: Answer
    """An alarm means: the test rejects "no worse than fresh real rows" at `level`."""
    words: str
    """The answer as one plain sentence with its figures."""
    p_value: float | None = None
    """Of the null hypothesis that synthetic rows are fresh real rows; None: not tested."""
    level: float | None = None
    """The level the p-value was compared with, after any correction for many comparisons."""
    effect: float | None = None
    """Size of the difference, in the unit of the figure named by the words."""
    margin: float | None = None
    """Differences below it raise no alarm, however certain."""
