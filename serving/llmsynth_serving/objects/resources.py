"""Which workers a job is for: those with a GPU, where a language model works, or any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from llmsynth_serving.database.records import Synthesizer
from llmsynth_serving.queue.durable import Queue
from llmsynth_serving.queue.places import ASKED

OWN_MODEL = "compact"
"""Small enough for any processor; all others are language models."""
PROMPTING = ("few-shot",)


def resources(session: Session, kind: str, spec: Mapping[str, Any]) -> Queue:
    """The queue that a job belongs in; without a worker for it, it may go into the other."""
    if (
        spec.get(ASKED) is not None
        or kind in PROMPTING
        or _model(spec.get("settings")) != OWN_MODEL
    ):
        return "gpu"
    if kind == "sample":
        synthesizer = session.get(Synthesizer, spec.get("synthesizer_id", ""))
        if synthesizer is not None and _model(synthesizer.settings) != OWN_MODEL:
            return "gpu"
    return "cpu"


def _model(settings: Mapping[str, Any] | None) -> str:
    return str((settings or {}).get("model") or OWN_MODEL)
