"""Does a synthetic table look like the original."""

from __future__ import annotations

from llmsynth_eval.fidelity.alpha_beta import AlphaBeta
from llmsynth_eval.fidelity.c2st import C2st
from llmsynth_eval.fidelity.columns import ColumnDistances
from llmsynth_eval.fidelity.constraint_violations import ConstraintViolations
from llmsynth_eval.fidelity.correlations import Correlations
from llmsynth_eval.fidelity.coverage import Coverage
from llmsynth_eval.fidelity.missing_rates import MissingRates
from llmsynth_eval.fidelity.pairs import Pairs
from llmsynth_eval.fidelity.subgroups import Subgroups
from llmsynth_eval.fidelity.triples import Triples
from llmsynth_eval.metric import Metric

METRICS: tuple[Metric, ...] = (
    ColumnDistances(),
    Coverage(),
    MissingRates(),
    Pairs(),
    Correlations(),
    Triples(),
    C2st(),
    AlphaBeta(),
    Subgroups(),
)

__all__ = [
    "METRICS",
    "AlphaBeta",
    "C2st",
    "ColumnDistances",
    "ConstraintViolations",
    "Correlations",
    "Coverage",
    "MissingRates",
    "Pairs",
    "Subgroups",
    "Triples",
]
