"""What a fit decided, as a short table of lines: warnings first, then a line a column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from llmsynth.synthesizers.decisions import Decision, Decisions

_MOST_LINES = 40
_WIDEST_NAME, _WIDEST_CELL = 24, 26


def decision_lines(found: Decisions, *, with_reasons: bool = False) -> Iterator[str]:
    """Lines for a person; of a wide table, the columns that are learned as they are come as one.

    Args:
        with_reasons: say why, too.
    """
    for warning in found.warnings:
        yield f"WARNING {warning}"
    shown = list(found.columns)
    plain: list[Decision] = []
    if len(shown) > _MOST_LINES:
        plain = [own for own in shown if own.is_plain]
        shown = [own for own in shown if not own.is_plain]
    rows: list[tuple[str, ...]] = [
        ("column", "kind", "as it was", "as written", "to change it", "what happens")
    ]
    rows += [_row(own, with_reasons=with_reasons) for own in shown]
    yield from _aligned(rows)
    if plain:
        yield f"and {len(plain)} more columns, learned as they are."


def print_decisions(found: Decisions) -> None:
    """The lines on standard output."""
    for line in decision_lines(found):
        typer.echo(line)


def _row(own: Decision, *, with_reasons: bool) -> tuple[str, ...]:
    what = "; ".join([own.treatment, *own.notes])
    if with_reasons:
        what += f" (because {own.reason})"
    return (
        _short(_visible(own.column), _WIDEST_NAME),
        own.kind,
        _short(_visible(own.example), _WIDEST_CELL),
        _short(_visible(own.written), _WIDEST_CELL) or "(made anew)",
        own.option,
        what,
    )


def _visible(text: str) -> str:
    """The text on one line; blanks that would not be seen in quotes."""
    return text if text.isprintable() and text == text.strip() else repr(text)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join(cells).rstrip()
