"""`llmsynth replace` and `llmsynth pseudonymize`: columns drawn anew, people renamed."""

from __future__ import annotations

from typing import Annotated

import typer

from llmsynth.cli.declared_personal import declared_by, left_lines
from llmsynth.cli.progress_bar import ProgressBar
from llmsynth.cli.row_stream import check_file
from llmsynth.cli.shared_options import (
    Fitted,
    KeepRare,
    MaxEpochs,
    MaxMinutes,
    Missing,
    NotPersonal,
    OutFile,
    Personal,
    SchemaFile,
    Seed,
    TableFile,
)
from llmsynth.cli.use_synthesizer import use_synthesizer
from llmsynth.tables import write_table


def replace_command(
    table: TableFile,
    out: OutFile,
    column: Annotated[list[str], typer.Option(help="Column to replace; may be given again.")],
    identifier: Annotated[
        list[str] | None,
        typer.Option(help="A key among them: renamed one to one; may be given again."),
    ] = None,
    synthesizer: Fitted = None,
    schema: SchemaFile = None,
    personal: Personal = None,
    not_personal: NotPersonal = None,
    missing: Missing = None,
    max_minutes: MaxMinutes = None,
    max_epochs: MaxEpochs = None,
    keep_rare: KeepRare = False,
    seed: Seed = 0,
) -> None:
    """Draw some columns of a table anew, given the others, which stay real."""
    check_file(out)
    declared = declared_by(personal, not_personal)
    model = use_synthesizer(
        synthesizer,
        schema=schema,
        missing=missing,
        keep_rare=keep_rare,
        drop_text=True,
        max_minutes=max_minutes,
        max_epochs=max_epochs,
        seed=seed,
    )
    # Reaches torch, which takes seconds to load.
    from llmsynth.uses.replacement import replace

    with ProgressBar("fit") as bar:
        found = replace(
            table,
            column,
            identifiers=identifier or (),
            personal=declared,
            synthesizer=model,
            missing=missing or (),
            seed=seed,
            progress=bar,
        )
    write_table(found.table, out, schema=found.schema)
    for name, share in found.unchanged.items():
        typer.echo(f"{name}: drawn anew; {share:.1%} of the cells came out as they were.")
    for renamed in found.renamed:
        typer.echo(f"{renamed.name}: {renamed.values:,} different values renamed ({renamed.kind}).")
    typer.echo(f"Wrote {found.table.num_rows:,} rows to {out}; every other column is real.")


def pseudonymize_command(
    table: TableFile,
    out: OutFile,
    text: Annotated[
        list[str] | None,
        typer.Option(help="Column to search for personal data; free text when omitted."),
    ] = None,
    personal: Personal = None,
    not_personal: NotPersonal = None,
    missing: Missing = None,
    seed: Annotated[
        int | None, typer.Option(help="Same seed, same pseudonyms; random when omitted.")
    ] = None,
) -> None:
    """Replace names, e-mails, phones, addresses and ids of people, also inside free text."""
    check_file(out)
    declared = declared_by(personal, not_personal)
    from llmsynth.personal_data.replacement import pseudonymize

    found = pseudonymize(
        table, declared=declared, texts=text or None, missing=missing or (), seed=seed
    )
    write_table(found.table, out)
    typer.echo(f"Replaced: {found.words}.")
    for line in left_lines([(c.name, c.kind, c.why) for c in found.left]):
        typer.echo(line)
    typer.echo(
        f"Wrote {found.table.num_rows:,} rows to {out}. What the other columns and the texts tell "
        "may still say who somebody is."
    )
