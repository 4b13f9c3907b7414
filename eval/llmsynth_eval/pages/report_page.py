"""The page of a full report: one HTML file that needs nothing else, drawn from the report alone."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from llmsynth.errors import InputError
from llmsynth_eval.definitions import Definition
from llmsynth_eval.overall import NO_GUARANTEE, overall_words, topic_words
from llmsynth_eval.pages.comparison import comparison_tables
from llmsynth_eval.pages.page import style
from llmsynth_eval.pages.table_section import anchor, table_section
from llmsynth_eval.report import Evaluation, Report

SECTIONS = {
    "verdict": "Verdict",
    "figures": "Figures",
    "columns": "Columns",
    "pairs": "Pairs",
    "rows": "Rows",
    "curves": "Curves",
    "details": "Tables",
    "notes": "Notes",
}


def write_report_page(report: Report, path: str | Path, *, title: str) -> None:
    """Write the report as a self-contained page, readable without scripts, light and dark.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        Path(path).write_text(report_page(report, title=title), encoding="utf-8")
    except OSError as error:
        raise InputError(f"Cannot write the report page {path}: {error}.") from error


def report_page(report: Report, *, title: str) -> str:
    """The page as text."""
    several = len(report.evaluations) > 1
    styles = [style(), _file("report.css").rstrip()]
    return Template(_file("report.html")).substitute(
        title=escape(title),
        style="\n".join(styles),
        lead=escape(_lead(report)),
        overall="".join(_overall(evaluation, named=several) for evaluation in report.evaluations)
        + f'<p class="lead">{escape(NO_GUARANTEE)}</p>',
        comparison=comparison_tables(report.evaluations) if several else "",
        contents=_contents(report),
        tables="".join(
            table_section(evaluation, number, is_open=number == 0)
            for number, evaluation in enumerate(report.evaluations)
        ),
        explanations="".join(_explanation(definition) for definition in report.definitions),
        provenance=_definitions(_provenance(report)),
    )


def _lead(report: Report) -> str:
    tables = len(report.evaluations)
    what = "One synthetic table" if tables == 1 else f"{tables} synthetic tables"
    return (
        f"{what} of {len(report.columns)} columns against {report.num_train_rows:,} train rows and "
        f"{report.num_holdout_rows:,} holdout rows that the synthesizer never saw."
    )


def _overall(evaluation: Evaluation, *, named: bool) -> str:
    name = f"<b>{escape(evaluation.name)}:</b> " if named else ""
    is_tested = any(headline.answer != "not measured" for headline in evaluation.headlines)
    kind = "alarm" if evaluation.alarms else "good" if is_tested else "none"
    # Beside others, the questions themselves stand in the table that follows.
    words = topic_words(evaluation.headlines) if named else overall_words(evaluation)
    return f'<p class="overall {kind}">{name}{escape(words)}</p>'


def _contents(report: Report) -> str:
    if len(report.evaluations) > 1:
        links = [(anchor(i), e.name) for i, e in enumerate(report.evaluations)]
    else:
        links = [(f"{anchor(0)}-{key}", words) for key, words in SECTIONS.items()]
    links += [("explain", "What each metric says"), ("provenance", "Provenance")]
    return "".join(f'<a href="#{target}">{escape(words)}</a>' for target, words in links)


def _explanation(definition: Definition) -> str:
    parts = {
        "Measures": definition.measures,
        "Good": definition.good,
        "Cannot tell": definition.blind,
    }
    return (
        f"<details><summary>{escape(definition.title)}</summary>"
        f'<dl class="explain">{_definitions(parts)}</dl>'
        f'<p class="lead">Definition {escape(definition.metric)}, version {definition.version}.'
        "</p></details>"
    )


def _provenance(report: Report) -> dict[str, str]:
    return {
        **report.provenance,
        **report.settings,
        "seed": str(report.seed),
        "software": report.software,
    }


def _definitions(texts: Mapping[str, str]) -> str:
    return "".join(f"<dt>{escape(n)}</dt><dd>{escape(t)}</dd>" for n, t in texts.items())


def _file(name: str) -> str:
    return files("llmsynth_eval.pages").joinpath(name).read_text(encoding="utf-8")
