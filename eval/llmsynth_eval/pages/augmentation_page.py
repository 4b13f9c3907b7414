"""The page that says whether synthetic rows of a rare class helped; as plainly where not."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from string import Template

from llmsynth_eval.details import DetailTable
from llmsynth_eval.pages.page import style
from llmsynth_eval.pages.table_section import sortable_table
from llmsynth_eval.utility.augmentation import Augmentation

_MARKS = {"gain": "good", "no gain detected": "none", "harm": "alarm"}


def augmentation_page(found: Augmentation, *, title: str) -> str:
    """A self-contained page, readable without scripts, light and dark."""
    folder = files("llmsynth_eval.pages")
    sheets = [style(), folder.joinpath("report.css").read_text(encoding="utf-8").rstrip()]
    template = folder.joinpath("augmentation.html").read_text(encoding="utf-8")
    return Template(template).substitute(
        title=escape(title),
        style="\n".join(sheets),
        lead=escape(_lead(found)),
        mark=_MARKS[found.verdict],
        words=escape(found.words),
        arms=_section(found.table()),
        rare_rows=_section(found.rare_rows.table(found.minority)),
        notes="".join(f"<li>{escape(note)}</li>" for note in found.notes),
    )


def _lead(found: Augmentation) -> str:
    return (
        f"{found.num_train:,} real train rows, {found.num_rare:,} of them of {found.minority}; the "
        f"test table holds {found.num_test_rare:,} of that class and took no part in anything."
    )


def _section(table: DetailTable) -> str:
    return (
        f'<h2>{escape(table.title)}</h2><p class="lead">{escape(table.meaning)}</p>'
        f"{sortable_table(table.columns, table.rows)}"
    )
