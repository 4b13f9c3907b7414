"""Which metrics a full evaluation runs, by topic, and which of them a table's extras add."""

from __future__ import annotations

from collections.abc import Mapping

from llmsynth_eval import fidelity
from llmsynth_eval.entrance import Entered
from llmsynth_eval.headline import Topic
from llmsynth_eval.metric import Metric
from llmsynth_eval.privacy.copies import Copies
from llmsynth_eval.privacy.dcr_share import DcrShare
from llmsynth_eval.utility import Predictive, QScore, TargetRelation


def metrics_of(entered: Entered) -> Mapping[Topic, tuple[Metric, ...]]:
    """The metrics to run on these tables, in the order in which a report shows them."""
    margin = entered.question.margin
    return {
        "fidelity": fidelity.METRICS,
        "utility": (TargetRelation(margin=margin), Predictive(margin=margin), QScore()),
        "privacy": (Copies(), DcrShare()),
    }
