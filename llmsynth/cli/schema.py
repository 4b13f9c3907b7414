"""`llmsynth schema`: what a table seems to hold, or might hold, as JSON to correct."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from llmsynth.cli.failures import reported
from llmsynth.cli.reading_options import reads_tables
from llmsynth.cli.shared_options import Missing
from llmsynth.rules import Discovery, discover_rules
from llmsynth.schema import infer_schema
from llmsynth.tables import read_table
from llmsynth.tables.conforming import conform
from llmsynth.tables.parquet_shards import ParquetShards, is_sharded

if TYPE_CHECKING:
    from typer import Context

_INFER, _PROPOSE = "infer", "propose"


class _InferUnlessTold(TyperGroup):
    """`llmsynth schema TABLE` is `llmsynth schema infer TABLE`."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Put the command's name before arguments that do not begin with one."""
        if args and args[0] not in (_INFER, _PROPOSE, "--help"):
            args = [_INFER, *args]
        parsed: list[Any] = super().parse_args(ctx, args)
        return parsed


schema_app = typer.Typer(
    cls=_InferUnlessTold,
    no_args_is_help=True,
    help="Print the schema of a table as JSON (schema TABLE), or propose one in words.",
)


def infer_command(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            help="CSV, Parquet or Arrow file; or a folder or an address of Parquet files.",
        ),
    ],
    missing: Missing = None,
    target: Annotated[str | None, typer.Option(help="Column to predict.")] = None,
) -> None:
    """Print the schema of a table as JSON: correct it, then give it to `fit --schema`."""
    if is_sharded(table):
        found = ParquetShards(table, missing=missing or ()).schema(target=target)
    else:
        rows = read_table(table, missing=missing or ())
        found = infer_schema(rows, target=target)
        rules = discover_rules(conform(rows, found), found)
        found = replace(found, constraints=rules.exact)
        for line in _rule_words(rules):
            typer.echo(line, err=True)
    typer.echo(found.to_json(), nl=False)


def _rule_words(rules: Discovery) -> Iterator[str]:
    """What was found, for a person who reads the schema; none of it is part of the JSON."""
    if rules.skipped:
        yield f"Rules were not looked for: {rules.skipped}."
    if rules.exact:
        yield f"Rules that every row keeps are listed as constraints: {len(rules.exact)}."
    for proposal in rules.near:
        yield f"Nearly a rule, not listed: {proposal.words}."


def propose_command(
    description: Annotated[str, typer.Argument(help="The table in a sentence.")],
    columns: Annotated[int, typer.Option(help="Most columns.")] = 12,
    model: Annotated[str, typer.Option(help="Short name, folder or hub id.")] = "smollm2-135m",
    seed: Annotated[int, typer.Option(help="Another seed, another proposal.")] = 0,
) -> None:
    """Propose a schema from a sentence: a draft for a person to correct, never to use as it is."""
    # Reaches torch, which takes seconds to load.
    from llmsynth.synthesizers.prompted_schema import propose_schema

    proposed = propose_schema(description, model=model, most_columns=columns, seed=seed)
    typer.echo(proposed.to_json(), nl=False)
    typer.echo(
        f"A draft of {len(proposed.columns)} columns by {model}. Small models propose poorly: "
        "correct names, kinds, bounds and categories before use.",
        err=True,
    )


schema_app.command(_INFER)(reported(reads_tables(infer_command)))
schema_app.command(_PROPOSE)(reported(propose_command))
