"""`llmsynth impute`: a table's missing cells drawn from what the model learned of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmsynth.cli.progress_bar import ProgressBar
from llmsynth.cli.row_stream import check_file
from llmsynth.cli.shared_options import (
    Fitted,
    MaxEpochs,
    MaxMinutes,
    Missing,
    OutFile,
    SchemaFile,
    Seed,
    TableFile,
    Target,
)
from llmsynth.cli.use_synthesizer import use_synthesizer
from llmsynth.tables import write_table

if TYPE_CHECKING:
    from llmsynth.uses.imputation import Imputed


def impute_command(
    table: TableFile,
    out: OutFile,
    column: Annotated[
        list[str] | None, typer.Option(help="Fill this column alone; may be given again.")
    ] = None,
    draws: Annotated[
        int, typer.Option(help="Complete the table so often: NAME-1.csv, NAME-2.csv, ...")
    ] = 1,
    synthesizer: Fitted = None,
    schema: SchemaFile = None,
    missing: Missing = None,
    target: Target = None,
    max_minutes: MaxMinutes = None,
    max_epochs: MaxEpochs = None,
    seed: Seed = 0,
) -> None:
    """Fill in missing cells. What is there stays as it is; free text and identifiers stay gaps."""
    check_file(out)
    model = use_synthesizer(
        synthesizer,
        target=target,
        schema=schema,
        missing=missing,
        keep_rare=True,
        drop_text=True,
        max_minutes=max_minutes,
        max_epochs=max_epochs,
        seed=seed,
    )
    # Reaches torch, which takes seconds to load.
    from llmsynth.uses.imputation import impute

    with ProgressBar("fit") as bar:
        found = impute(
            table,
            columns=column or None,
            draws=draws,
            synthesizer=model,
            missing=missing or (),
            seed=seed,
            progress=bar,
        )
    for path, completed in zip(_paths(out, draws), found.tables, strict=True):
        write_table(completed, path, schema=found.schema)
        typer.echo(f"Wrote {completed.num_rows:,} rows to {path}.")
    _tell(found)


def _paths(out: Path, draws: int) -> list[Path]:
    if draws == 1:
        return [out]
    stem, dot, ending = out.name.partition(".")
    return [out.with_name(f"{stem}-{number}{dot}{ending}") for number in range(1, draws + 1)]


def _tell(found: Imputed) -> None:
    counts = ", ".join(f"{name} {count:,}" for name, count in found.filled.items())
    typer.echo(
        f"Filled {sum(found.filled.values()):,} cells in {found.patterns:,} patterns"
        f"{f' ({counts})' if counts else ''}."
    )
    if found.left:
        gaps = ", ".join(f"{name} {count:,}" for name, count in found.left.items())
        typer.echo(f"Still missing: {gaps}.")
    if found.broken_rows:
        typer.echo(f"{found.broken_rows:,} rows break a declared constraint.")
