"""How good is a synthetic table, whoever made it; needs no torch."""

from __future__ import annotations

from llmsynth_eval.evaluate import evaluate
from llmsynth_eval.figure import ColumnError, Figure, PairError
from llmsynth_eval.gate import Gates
from llmsynth_eval.headline import Headline
from llmsynth_eval.judgement import Judgement
from llmsynth_eval.pages.page import write_page
from llmsynth_eval.pages.report_page import write_report_page
from llmsynth_eval.report import Report
from llmsynth_eval.runner import judge

__all__ = [
    "ColumnError",
    "Figure",
    "Gates",
    "Headline",
    "Judgement",
    "PairError",
    "Report",
    "evaluate",
    "judge",
    "write_page",
    "write_report_page",
]
