"""Which function does which kind of job."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from llmsynth.errors import SettingsError
from llmsynth_serving.jobs.context import JobContext

Body = Callable[[JobContext], dict[str, Any]]
# By name, so that a process that only lists the kinds loads no model library.
_BODIES = {
    "fit": "llmsynth_serving.jobs.fit:fit",
    "sample": "llmsynth_serving.jobs.sample:sample",
    "evaluate": "llmsynth_serving.jobs.evaluate:evaluate",
    "rebalance": "llmsynth_serving.jobs.rebalance:rebalance",
    "impute": "llmsynth_serving.jobs.impute:impute",
    "few-shot": "llmsynth_serving.jobs.few_shot:few_shot",
}
KINDS = tuple(_BODIES)


def body(kind: str) -> Body:
    """The function that does jobs of this kind.

    Raises:
        SettingsError: no such kind.
    """
    if kind not in _BODIES:
        raise SettingsError(f"A job's kind must be one of {', '.join(KINDS)}, got {kind!r}.")
    module, _, name = _BODIES[kind].partition(":")
    found: Body = getattr(importlib.import_module(module), name)
    return found
