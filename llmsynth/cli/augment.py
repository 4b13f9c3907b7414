"""`llmsynth augment`: a table's real rows and synthetic ones in one file, told apart."""

from __future__ import annotations

from typing import Annotated

import typer

from llmsynth.cli.failures import PARTIAL
from llmsynth.cli.progress_bar import ProgressBar
from llmsynth.cli.row_stream import check_file, shortfall
from llmsynth.cli.sample import read_conditions
from llmsynth.cli.shared_options import (
    DropText,
    Fitted,
    KeepRare,
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


def augment_command(
    table: TableFile,
    out: OutFile,
    rows: Annotated[int, typer.Option(help="How many synthetic rows to add.")],
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COL=VALUE", help="Fix a column of the new rows; may be repeated."),
    ] = None,
    origin: Annotated[
        str, typer.Option(help="Column that says of each row: real or synthetic.")
    ] = "origin",
    synthesizer: Fitted = None,
    schema: SchemaFile = None,
    missing: Missing = None,
    target: Target = None,
    max_minutes: MaxMinutes = None,
    max_epochs: MaxEpochs = None,
    keep_rare: KeepRare = False,
    drop_text: DropText = False,
    seed: Seed = 0,
) -> None:
    """Write a table with synthetic rows added, and a column that tells them apart."""
    check_file(out)
    conditions = read_conditions(where or (), ())
    model = use_synthesizer(
        synthesizer,
        target=target,
        schema=schema,
        missing=missing,
        keep_rare=keep_rare,
        drop_text=drop_text,
        max_minutes=max_minutes,
        max_epochs=max_epochs,
        seed=seed,
    )
    # Reaches torch, which takes seconds to load.
    from llmsynth.uses.augmentation import augment

    with ProgressBar("fit") as bar:
        found = augment(
            table,
            rows,
            where=conditions,
            synthesizer=model,
            origin=origin,
            missing=missing or (),
            seed=seed,
            progress=bar,
        )
    write_table(found.table, out)
    real = found.table.num_rows - found.synthetic.num_rows
    typer.echo(
        f"Wrote {real:,} real and {found.synthetic.num_rows:,} synthetic rows to {out}; the column "
        f"{origin!r} tells them apart."
    )
    if found.report.is_partial:
        typer.echo(f"partial: {shortfall(found.report)}", err=True)
        raise typer.Exit(PARTIAL)
