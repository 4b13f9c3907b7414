"""The report of a training run as a file, for the process that waits for the others."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

from llmsynth.errors import TrainingError
from llmsynth.training.loop import TrainingReport

NAME = "report.json"
_LOSSES = ("held_out_loss", "train_loss", "start_loss")


def write_report(report: TrainingReport, path: Path) -> None:
    """Write a report; a loss that was not measured is null."""
    facts = asdict(report)
    for name in _LOSSES:
        facts[name] = facts[name] if math.isfinite(facts[name]) else None
    path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def read_report(path: Path) -> TrainingReport:
    """Read the report that `write_report` left.

    Raises:
        TrainingError: the run has not been trained to its end.
    """
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        for name in _LOSSES:
            facts[name] = float("nan") if facts[name] is None else facts[name]
        return TrainingReport(**facts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{path.parent} holds no finished training: {error}.",
            hint="Run `accelerate launch -m llmsynth.training` on it first.",
        ) from error
