"""Several synthetic tables side by side: their answers, then their figures."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from llmsynth_eval.figure import Figure
from llmsynth_eval.pages.headline_cards import answer_mark
from llmsynth_eval.report import Evaluation
from llmsynth_eval.text_table import interval_text, number_text


def comparison_tables(evaluations: Sequence[Evaluation]) -> str:
    """Headlines and figures, a column a table; nothing is summed up into one score."""
    names = "".join(f"<th>{escape(evaluation.name)}</th>" for evaluation in evaluations)
    answers = "".join(
        f"<tr><td>{escape(_question(evaluations, name))}</td>"
        + "".join(f"<td>{_answer(evaluation, name)}</td>" for evaluation in evaluations)
        + "</tr>"
        for name in _union([[h.name for h in e.headlines] for e in evaluations])
    )
    figures = "".join(
        _figure_row([evaluation.figures.get(name) for evaluation in evaluations])
        for name in _union([list(e.figures) for e in evaluations])
    )
    questions = (
        '<div class="scroll"><table class="compare"><thead><tr><th>Question</th>'
        f"{names}</tr></thead><tbody>{answers}</tbody></table></div>"
    )
    return (
        f'<h2 id="compare">Side by side</h2>{questions if answers else ""}'
        "<details><summary>Every figure side by side</summary>"
        '<div class="scroll"><table class="compare sortable"><thead><tr><th>Figure</th>'
        f"{names}<th>Floor</th></tr></thead><tbody>{figures}</tbody></table></div></details>"
    )


def _union(lists: Sequence[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(name for names in lists for name in names))


def _question(evaluations: Sequence[Evaluation], name: str) -> str:
    return next(h.question for e in evaluations for h in e.headlines if h.name == name)


def _answer(evaluation: Evaluation, name: str) -> str:
    return "".join(answer_mark(h) for h in evaluation.headlines if h.name == name)


def _figure_row(figures: Sequence[Figure | None]) -> str:
    known = next(figure for figure in figures if figure is not None)
    cells = "".join(_figure_cell(figure) for figure in figures)
    value = "" if known.floor is None else f' data-v="{known.floor}"'
    return (
        f"<tr><td>{escape(known.title)}</td>{cells}"
        f'<td class="n"{value}>{number_text(known.floor)}</td></tr>'
    )


def _figure_cell(figure: Figure | None) -> str:
    if figure is None or figure.value is None:
        return '<td class="n"></td>'
    interval = f"<br>{interval_text(figure.interval)}" if figure.interval else ""
    return (
        f'<td class="n" data-v="{figure.value}"><b>{number_text(figure.value)}</b>'
        f'<span class="lead">{interval}</span></td>'
    )
