"""`llmsynth schema`: what a table seems to hold, as JSON to correct and give to `fit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmsynth.schema import infer_schema
from llmsynth.tables import read_table


def schema_command(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="CSV, Parquet or Arrow file.")],
    missing: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT", help="A cell text that means missing, such as '?'; may be given again."
        ),
    ] = None,
    target: Annotated[str | None, typer.Option(help="Column to predict.")] = None,
) -> None:
    """Print the schema of a table as JSON: correct it, then give it to `fit --schema`."""
    found = infer_schema(read_table(table, missing=missing or ()), target=target)
    typer.echo(found.to_json(), nl=False)
