"""One synthetic table's part of a report page: verdict, figures, drawings, tables, notes."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib.resources import files
from string import Template

from llmsynth_eval.details import Cell, Curve, DetailTable
from llmsynth_eval.figure import Figure, PairError
from llmsynth_eval.headline import Topic
from llmsynth_eval.overall import TOPICS
from llmsynth_eval.pages.drawings import association_maps, distributions, projections, trend_map
from llmsynth_eval.pages.headline_cards import headline_cards
from llmsynth_eval.pages.line_chart import legend, line_chart, whisker
from llmsynth_eval.report import Evaluation
from llmsynth_eval.text_table import interval_text, number_text

HEADINGS = ("Figure", "Synthetic", "95% interval", "Floor")
PLAIN_HEADINGS = '<th class="plain">Beside it</th>'
MANY_COLUMNS = 24
MAX_PAIRS = 200
MAX_TABLE_ROWS = 500


def anchor(number: int) -> str:
    """The name of a table's section in links."""
    return f"table-{number + 1}"


def table_section(evaluation: Evaluation, number: int, *, is_open: bool) -> str:
    """The section of the report's table `number`."""
    pictures = evaluation.pictures
    names = pictures.associations.columns
    association_real, association_synthetic = association_maps(pictures.associations)
    projection_real, projection_synthetic = projections(pictures.projection)
    template = files("llmsynth_eval.pages").joinpath("table_section.html")
    key = anchor(number)
    return Template(template.read_text(encoding="utf-8")).substitute(
        anchor=key,
        open=" open" if is_open else "",
        name=escape(evaluation.name),
        lead=f"{evaluation.num_rows:,} synthetic rows.",
        headlines=headline_cards(evaluation),
        figures=_figures(evaluation, key),
        distributions=distributions(
            pictures.overlays, {column.name: column for column in evaluation.columns}
        ),
        more_columns=_more_columns(evaluation),
        layout="many" if len(names) > MANY_COLUMNS else "",
        trend_map=trend_map(evaluation.pairs, names),
        worst_pairs=_worst_pairs(evaluation.pairs[:MAX_PAIRS]),
        association_real=association_real,
        association_synthetic=association_synthetic,
        projection_real=projection_real,
        projection_synthetic=projection_synthetic,
        curves=_curves(evaluation, key),
        details=_details(evaluation, key),
        notes="".join(f"<li>{escape(note)}</li>" for note in evaluation.all_notes),
        counts=_counts(evaluation),
    )


def _figures(evaluation: Evaluation, key: str) -> str:
    parts = [
        f'<h2 id="{key}-figures">Figures</h2><p class="lead">The floor (square) is the same figure '
        "for real rows that the synthesizer never saw. Reach the floor, do not beat it: an error "
        "well below it points to over-fitting, not quality.</p>"
    ]
    for topic, question in TOPICS.items():
        rows = "".join(_figure_row(f) for f in _figures_of(evaluation, topic))
        if rows:
            head = "".join(f"<th>{words}</th>" for words in HEADINGS) + PLAIN_HEADINGS
            parts.append(
                f"<h3>{escape(question)}</h3>"
                f'<table class="measures sortable"><thead><tr>{head}</tr></thead>'
                f"<tbody>{rows}</tbody></table>"
            )
    return "".join(parts)


def _figures_of(evaluation: Evaluation, topic: Topic) -> Iterable[Figure]:
    return (f for result in evaluation.of_topic(topic) for f in result.measurement.figures)


def _figure_row(figure: Figure) -> str:
    value = "" if figure.value is None else f' data-v="{figure.value}"'
    floor = "" if figure.floor is None else f' data-v="{figure.floor}"'
    return (
        f"<tr><td><b>{escape(figure.title)}</b>"
        f'<span class="meaning">{escape(figure.meaning)}</span></td>'
        f'<td class="n v"{value}>{number_text(figure.value)}</td>'
        f'<td class="n" data-label="95% interval">{interval_text(figure.interval)}</td>'
        f'<td class="n" data-label="floor"{floor}>{number_text(figure.floor)}</td>'
        f'<td class="w">{whisker(figure)}</td></tr>'
    )


def _more_columns(evaluation: Evaluation) -> str:
    more = len(evaluation.columns) - len(evaluation.pictures.overlays)
    return f'<p class="lead">{more} columns of smaller error are not drawn.</p>' if more > 0 else ""


def _worst_pairs(pairs: Iterable[PairError]) -> str:
    rows = [(f"{pair.first} x {pair.second}", pair.error, pair.floor) for pair in pairs]
    return sortable_table(("Pair", "Error", "Floor"), rows) if rows else ""


def _curves(evaluation: Evaluation, key: str) -> str:
    curves = [curve for result in evaluation.results for curve in result.measurement.curves]
    if not curves:
        return ""
    drawn = "".join(_curve(curve) for curve in curves)
    return f'<h2 id="{key}-curves">Curves</h2><div class="two">{drawn}</div>'


def _curve(curve: Curve) -> str:
    return (
        f"<figure><figcaption><b>{escape(curve.title)}</b></figcaption>{line_chart(curve)}"
        f"{legend(curve)}<figcaption><span>{escape(curve.meaning)}</span></figcaption></figure>"
    )


def _details(evaluation: Evaluation, key: str) -> str:
    tables = [table for result in evaluation.results for table in result.measurement.tables]
    if not tables:
        return ""
    return f'<h2 id="{key}-details">Tables</h2>' + "".join(_detail(table) for table in tables)


def _detail(table: DetailTable) -> str:
    if not table.rows:
        return ""
    more = len(table.rows) - MAX_TABLE_ROWS
    rest = f" The first {MAX_TABLE_ROWS}; {more:,} more are in report.json." if more > 0 else ""
    return (
        f"<details><summary>{escape(table.title)}</summary>"
        f'<p class="lead">{escape(table.meaning)}{rest}</p>'
        f"{sortable_table(table.columns, table.rows[:MAX_TABLE_ROWS])}</details>"
    )


def sortable_table(columns: Iterable[str], rows: Iterable[Iterable[Cell]]) -> str:
    """A table that the page's script sorts by the heading that is pressed."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    return (
        f'<div class="detail"><table class="sortable"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(cell: Cell) -> str:
    if isinstance(cell, bool) or cell is None or isinstance(cell, str):
        return f"<td>{'' if cell is None else escape(str(cell))}</td>"
    text = f"{cell:,}" if isinstance(cell, int) else number_text(cell)
    return f'<td class="n" data-v="{cell}">{text}</td>'


def _counts(evaluation: Evaluation) -> str:
    counts = {n: c for result in evaluation.results for n, c in result.measurement.counts.items()}
    return "".join(f"<dt>{escape(n)}</dt><dd>{c:,}</dd>" for n, c in counts.items())
