"""Options that several commands share."""

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
Target = Annotated[
    str | None, typer.Option(help="Column whose relation to the others matters most.")
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
Personal = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN=KIND",
        help="A column of personal data that was not found or found as another kind: name, email, "
        "phone, address, id, iban, ...; may be given again.",
    ),
]
NotPersonal = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN", help="A column that only looks personal; may be given again."),
]
KeepRare = Annotated[
    bool, typer.Option("--keep-rare", help="Learn values of fewer than five rows, too.")
]
DropText = Annotated[
    bool, typer.Option("--drop-text", help="Leave texts out instead of spelling them.")
]
Seed = Annotated[int, typer.Option(help="Same seed and table, same rows.")]
Temperature = Annotated[
    float, typer.Option(help="Below 1: more of the usual; above 1: more of the unusual.")
]
TopP = Annotated[
    float, typer.Option(help="Draw only from the likeliest values that reach this share.")
]
MaxSeconds = Annotated[
    float | None, typer.Option(help="Stop after this time, with the rows there are.")
]
Fitted = Annotated[
    Path | None,
    typer.Option("--synthesizer", metavar="DIR", help="What `llmsynth fit` wrote of this table."),
]
