"""Do related tables and sequences hang together as the original ones do."""

from __future__ import annotations

from llmsynth_eval.related.autocorrelation import Autocorrelation
from llmsynth_eval.related.cardinality import Cardinality
from llmsynth_eval.related.constancy import Constancy
from llmsynth_eval.related.evaluation import evaluate_related, evaluate_sequences
from llmsynth_eval.related.families import Families, Family, Link
from llmsynth_eval.related.gaps import Gaps
from llmsynth_eval.related.key_integrity import KeyIntegrity
from llmsynth_eval.related.parent_child import ParentChild
from llmsynth_eval.related.related_judgement import RelatedJudgement
from llmsynth_eval.related.transitions import Transitions

__all__ = [
    "Autocorrelation",
    "Cardinality",
    "Constancy",
    "Families",
    "Family",
    "Gaps",
    "KeyIntegrity",
    "Link",
    "ParentChild",
    "RelatedJudgement",
    "Transitions",
    "evaluate_related",
    "evaluate_sequences",
]
