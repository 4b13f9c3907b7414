"""Does a synthetic table give anyone away."""

from llmsynth_eval.metric import Metric
from llmsynth_eval.privacy.anonymity import Anonymity
from llmsynth_eval.privacy.attribute_inference import AttributeInference
from llmsynth_eval.privacy.canaries import CanaryAudit, exposure, exposure_table
from llmsynth_eval.privacy.closeness import Closeness
from llmsynth_eval.privacy.copies import Copies
from llmsynth_eval.privacy.copy_test import CopyTest
from llmsynth_eval.privacy.identifiers import Identifiers, identifier_columns
from llmsynth_eval.privacy.linkability import Linkability
from llmsynth_eval.privacy.near_copies import NearCopies
from llmsynth_eval.privacy.one_run_audit import (
    AuditBound,
    epsilon_from_guesses,
    epsilon_lower_bound,
)
from llmsynth_eval.privacy.singling_out import SinglingOut

METRICS: tuple[Metric, ...] = (
    Copies(),
    CopyTest(),
    NearCopies(),
    Closeness(),
    SinglingOut(),
    Linkability(),
    AttributeInference(),
)

__all__ = [
    "METRICS",
    "Anonymity",
    "AttributeInference",
    "AuditBound",
    "CanaryAudit",
    "Closeness",
    "Copies",
    "CopyTest",
    "Identifiers",
    "Linkability",
    "NearCopies",
    "SinglingOut",
    "epsilon_from_guesses",
    "epsilon_lower_bound",
    "exposure",
    "exposure_table",
    "identifier_columns",
]
