"""Does a synthetic table look like the original."""

from __future__ import annotations

from llmsynth_eval.fidelity.c2st import C2st
from llmsynth_eval.fidelity.columns import ColumnDistances
from llmsynth_eval.fidelity.constraint_violations import ConstraintViolations
from llmsynth_eval.fidelity.coverage import Coverage
from llmsynth_eval.fidelity.missing_rates import MissingRates
from llmsynth_eval.fidelity.pairs import Pairs
from llmsynth_eval.metric import Metric

METRICS: tuple[Metric, ...] = (ColumnDistances(), Coverage(), MissingRates(), Pairs(), C2st())

__all__ = [
    "METRICS",
    "C2st",
    "ColumnDistances",
    "ConstraintViolations",
    "Coverage",
    "MissingRates",
    "Pairs",
]
