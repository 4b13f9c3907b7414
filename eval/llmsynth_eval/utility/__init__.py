"""Does a synthetic table serve the same purpose as the original."""

from __future__ import annotations

from llmsynth_eval.metric import Metric
from llmsynth_eval.utility.augmentation import Augmentation, augmentation_benefit
from llmsynth_eval.utility.predictive import Predictive
from llmsynth_eval.utility.queries import QScore
from llmsynth_eval.utility.rare_class_benefit import RareClassBenefit
from llmsynth_eval.utility.target_relation import TargetRelation

METRICS: tuple[Metric, ...] = (TargetRelation(), Predictive(), QScore())

__all__ = [
    "METRICS",
    "Augmentation",
    "Predictive",
    "QScore",
    "RareClassBenefit",
    "TargetRelation",
    "augmentation_benefit",
]
