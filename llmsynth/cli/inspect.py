"""`llmsynth inspect`: what a saved synthesizer is, and what it holds of the data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmsynth.cli.column_words import column_row
from llmsynth.cli.record import is_partial, learned_lines, part
from llmsynth.schema import (
    CategoryColumn,
    IdentifierColumn,
    NumberColumn,
    TableSchema,
    TextColumn,
)

if TYPE_CHECKING:
    from llmsynth.bundle.bundle import Bundle


def inspect_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `llmsynth fit` wrote.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole record of the fit as JSON.")
    ] = False,
) -> None:
    """Tell what a synthesizer learned, from what, and what of the data it holds."""
    # Reaches torch, which takes seconds to load.
    from llmsynth.bundle.bundle import Bundle

    bundles = {path: Bundle.load(path) for path in _parts(folder)}
    if as_json:
        records = {str(path): dict(bundle.provenance) for path, bundle in bundles.items()}
        record = records if len(records) > 1 else records[str(folder)]
        typer.echo(json.dumps(record, indent=2, ensure_ascii=False))
        return
    for path, bundle in bundles.items():
        for line in _summary(bundle, path):
            typer.echo(line)


def _parts(folder: Path) -> list[Path]:
    """The folders of a synthesizer's bundles: its own, or one a part for groups and sets."""
    if (folder / "config.json").is_file():
        return [folder]
    return sorted(path.parent for path in folder.rglob("config.json")) or [folder]


def _summary(bundle: Bundle, folder: Path) -> Iterator[str]:
    record = bundle.provenance
    settings, versions = part(record, "settings"), part(record, "versions")
    yield (
        f"{folder}: {settings.get('model')} synthesizer of {record.get('created')}, by llmsynth "
        + (f"{versions.get('llmsynth')} and torch {versions.get('torch')}")
    )
    if is_partial(record):
        yield "PARTIAL: the fit was interrupted; the same `llmsynth fit` goes on from there."
    yield from learned_lines(record)
    yield f"Target: {settings.get('target') or 'none'}. Seed: {settings.get('seed')}."
    yield ""
    yield from _aligned(
        [("column", "kind", "missing", "values"), *map(column_row, bundle.schema.columns)]
    )
    for constraint in bundle.schema.constraints:
        yield f"constraint {constraint.kind}: {', '.join(constraint.columns)}"
    yield ""
    yield held_line(bundle.schema)
    yield f"Privacy: {record.get('privacy')}"


def held_line(schema: TableSchema) -> str:
    """What the files take from the data beside the weights."""
    categories = sum(len(c.categories) for c in schema.columns if isinstance(c, CategoryColumn))
    frequent = sum(len(c.frequent) for c in schema.columns if isinstance(c, NumberColumn))
    bounded = sum(hasattr(c, "minimum") for c in schema.columns)
    patterns = sum(isinstance(c, IdentifierColumn) for c in schema.columns)
    texts = [c for c in schema.columns if isinstance(c, TextColumn) and c.pieces]
    spelled = (
        f", {sum(len(c.common) for c in texts):,} common texts and "
        f"{sum(len(c.pieces) for c in texts):,} pieces of texts"
        if texts
        else ""
    )
    return (
        f"Holds of the data: {categories:,} categories, the bounds of {bounded:,} columns, the "
        f"patterns of {patterns:,}, {frequent:,} frequent numbers{spelled} (see schema.json); no "
        "rows."
    )


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as lines whose columns, but for the last, are as wide as their widest text."""
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join(cells).rstrip()
