"""Do related tables and sequences hang together as the original ones do."""

from __future__ import annotations

from llmsynth_eval.related.autocorrelation import Autocorrelation
from llmsynth_eval.related.cardinality import Cardinality
from llmsynth_eval.related.families import Families, Family, Link
from llmsynth_eval.related.key_integrity import KeyIntegrity
from llmsynth_eval.related.transitions import Transitions

__all__ = [
    "Autocorrelation",
    "Cardinality",
    "Families",
    "Family",
    "KeyIntegrity",
    "Link",
    "Transitions",
]
