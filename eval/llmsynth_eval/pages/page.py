"""The report: one judgement and its tables as a single HTML file that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import pandas as pd

from llmsynth.errors import InputError
from llmsynth_eval.coded_table import CodedTable, encode
from llmsynth_eval.figure import Figure, PairError
from llmsynth_eval.input_tables import ColumnPlan, Table, as_frame, check_same_columns
from llmsynth_eval.judgement import Judgement
from llmsynth_eval.pages.drawings import association_maps, distributions, projections, trend_map
from llmsynth_eval.pages.pictures import MAX_COLUMNS, picture
from llmsynth_eval.pages.svg import shortened
from llmsynth_eval.text_table import interval_text, number_text

MANY_COLUMNS = 24
MAX_PAIRS = 12
MAX_ROWS = 10
MAX_CELL = 60


@dataclass(frozen=True, kw_only=True)
class _Pictured:
    train: CodedTable
    synthetic: CodedTable
    names: tuple[str, ...]


def write_page(
    judgement: Judgement,
    train: Table,
    synthetic: Table,
    path: str | Path,
    *,
    title: str,
    provenance: Mapping[str, str] | None = None,
) -> None:
    """Write the report page: figures, distributions, trends, projections, first rows.

    The page shows distributions of the real table and projected real rows, never a real row's
    cells; it holds no script and no link.

    Args:
        judgement: of these two tables.
        provenance: what to say about the origin, name to text.

    Raises:
        TableError: the tables are not those of the judgement.
        InputError: the file cannot be written.
    """
    frames = {
        "train": as_frame(train, role="train"),
        "synthetic": as_frame(synthetic, role="synthetic"),
    }
    page = _page(judgement, frames, title=title, provenance=provenance or {})
    try:
        Path(path).write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"Cannot write the report page {path}: {error}.") from error


def _page(
    judgement: Judgement,
    frames: Mapping[str, pd.DataFrame],
    *,
    title: str,
    provenance: Mapping[str, str],
) -> str:
    pictured = _pictured(judgement, frames)
    errors = {column.name: column for column in judgement.columns}
    pictures = picture(pictured.train, pictured.synthetic, list(errors))
    association_real, association_synthetic = association_maps(pictures.associations)
    projection_real, projection_synthetic = projections(pictures.projection)
    template = files("llmsynth_eval.pages").joinpath("page.html").read_text(encoding="utf-8")
    return Template(template).substitute(
        title=escape(title),
        lead=_lead(judgement),
        style=style(),
        verdict=_verdict(judgement),
        figures="".join(_figure_row(figure) for figure in judgement.figures),
        distributions=distributions(pictures.overlays, errors),
        more_columns=_more_columns(judgement),
        layout="many" if len(pictured.names) > MANY_COLUMNS else "",
        trend_map=trend_map(judgement.pairs, pictured.names),
        worst_pairs=_worst_pairs(judgement.pairs[:MAX_PAIRS]),
        association_real=association_real,
        association_synthetic=association_synthetic,
        projection_real=projection_real,
        projection_synthetic=projection_synthetic,
        rows=_rows(frames["synthetic"].head(MAX_ROWS)),
        notes="".join(f"<li>{escape(note)}</li>" for note in judgement.notes),
        provenance=_definitions({**_counts(judgement), **provenance}),
    )


def style() -> str:
    """The style sheet that every page shares; it asks for nothing outside."""
    return files("llmsynth_eval.pages").joinpath("style.css").read_text(encoding="utf-8").rstrip()


def _pictured(judgement: Judgement, frames: Mapping[str, pd.DataFrame]) -> _Pictured:
    check_same_columns(frames)
    errors = {column.name: column for column in judgement.columns}
    names = tuple(str(name) for name in frames["train"].columns if name in errors)
    if len(names) < len(errors):
        gone = sorted(set(errors) - set(names))
        raise InputError(f"The judgement has columns that the tables lack: {gone}.")
    formats = {n: f for n in names if (f := errors[n].date_format) is not None}
    plan = ColumnPlan(
        names=names,
        numeric=frozenset(name for name in names if errors[name].is_numeric),
        date_formats=formats,
    )
    tables = encode(frames, plan)
    worst = {column.name for column in judgement.columns[:MAX_COLUMNS]}
    return _Pictured(
        train=tables["train"],
        synthetic=tables["synthetic"],
        names=tuple(name for name in names if name in worst),
    )


def _lead(judgement: Judgement) -> str:
    rows = {role: judgement.counts.get(f"{role} rows", 0) for role in ("synthetic", "train")}
    return (
        f"{rows['synthetic']:,} synthetic rows against {rows['train']:,} train rows, "
        f"{len(judgement.columns)} columns."
    )


def _verdict(judgement: Judgement) -> str:
    lines = judgement.verdict().splitlines()
    return "".join(
        f'<li class="{"warn" if "WARNING" in line else "plain"}">{escape(line)}</li>'
        for line in lines
    )


def _figure_row(figure: Figure) -> str:
    return (
        f"<tr><td><b>{escape(figure.title)}</b></td>"
        f'<td class="n v">{number_text(figure.value)}</td>'
        f'<td class="n" data-label="95% interval">{interval_text(figure.interval)}</td>'
        f'<td class="n" data-label="floor">{number_text(figure.floor)}</td>'
        f'<td class="meaning">{escape(figure.meaning)}</td></tr>'
    )


def _more_columns(judgement: Judgement) -> str:
    more = len(judgement.columns) - MAX_COLUMNS
    return f'<p class="lead">{more} columns of smaller error are not drawn.</p>' if more > 0 else ""


def _worst_pairs(pairs: Iterable[PairError]) -> str:
    rows = "".join(
        f"<tr><td>{escape(pair.first)} x {escape(pair.second)}</td>"
        f'<td class="n">{number_text(pair.error)}</td>'
        f'<td class="n">{number_text(pair.floor)}</td></tr>'
        for pair in pairs
    )
    head = "<tr><th>Worst pairs</th><th>Error</th><th>Floor</th></tr>"
    return f"<table>{head}{rows}</table>" if rows else ""


def _rows(frame: pd.DataFrame) -> str:
    head = "".join(f"<th>{escape(str(name))}</th>" for name in frame.columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>"
        for row in frame.astype(object).itertuples(index=False, name=None)
    )
    return f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"


def _cell(cell: object) -> str:
    return "" if _is_missing(cell) else escape(shortened(str(cell), MAX_CELL))


def _is_missing(cell: object) -> bool:
    is_nan = isinstance(cell, float) and math.isnan(cell)
    return cell is None or cell is pd.NA or cell is pd.NaT or is_nan


def _counts(judgement: Judgement) -> dict[str, str]:
    return {name: f"{count:,}" for name, count in judgement.counts.items()}


def _definitions(texts: Mapping[str, str]) -> str:
    return "".join(f"<dt>{escape(n)}</dt><dd>{escape(t)}</dd>" for n, t in texts.items())
