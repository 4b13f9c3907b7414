"""How good is a synthetic table, whoever made it; needs no torch."""

from __future__ import annotations

from llmsynth_eval.figure import ColumnError, Figure, PairError
from llmsynth_eval.judgement import Judgement
from llmsynth_eval.pages.page import write_page
from llmsynth_eval.runner import judge

__all__ = ["ColumnError", "Figure", "Judgement", "PairError", "judge", "write_page"]
