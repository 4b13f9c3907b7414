"""Options that the commands of the uses share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TableFile = Annotated[
    Path, typer.Argument(metavar="TABLE", help="CSV, Parquet or Arrow file with real rows.")
]
OutFile = Annotated[
    Path, typer.Option(help="File to write: .csv, .csv.gz, .parquet, .arrow or .feather.")
]
SchemaFile = Annotated[
    Path | None, typer.Option(help="JSON file as `llmsynth schema` prints it, corrected.")
]
Missing = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT", help="A cell text that means missing, such as '?'; may be given again."
    ),
]
MaxMinutes = Annotated[float | None, typer.Option(help="Most minutes the fit may take.")]
MaxEpochs = Annotated[
    float | None, typer.Option(help="Most passes over the table; chosen from its size.")
]
KeepRare = Annotated[
    bool, typer.Option("--keep-rare", help="Learn values of fewer than five rows, too.")
]
DropText = Annotated[bool, typer.Option("--drop-text", help="Leave free-text columns out.")]
Seed = Annotated[int, typer.Option(help="Same seed and table, same rows.")]
Fitted = Annotated[
    Path | None,
    typer.Option("--synthesizer", metavar="DIR", help="What `llmsynth fit` wrote of this table."),
]
