"""The command line: which commands there are. It loads no model library before one is needed."""

from __future__ import annotations

from typing import Annotated

import typer

import llmsynth
from llmsynth.cli.augment import augment_command
from llmsynth.cli.demo import demo_command
from llmsynth.cli.export import export_command
from llmsynth.cli.failures import reported
from llmsynth.cli.fit import fit_command
from llmsynth.cli.impute import impute_command
from llmsynth.cli.inspect import inspect_command
from llmsynth.cli.models import models_app
from llmsynth.cli.privacy import privacy_app
from llmsynth.cli.prompt import prompt_command
from llmsynth.cli.reading_options import reads_tables
from llmsynth.cli.rebalance import rebalance_command
from llmsynth.cli.related import fit_related_command, sample_related_command
from llmsynth.cli.replace import pseudonymize_command, replace_command
from llmsynth.cli.sample import sample_command
from llmsynth.cli.schema import schema_app

app = typer.Typer(
    name="llmsynth",
    help="Learn a table, write new rows of it, see how good they are.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"llmsynth {llmsynth.__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version."),
    ] = False,
) -> None:
    del version


app.command("fit")(reported(reads_tables(fit_command)))
app.command("sample")(reported(reads_tables(sample_command)))
app.command("fit-related")(reported(reads_tables(fit_related_command)))
app.command("sample-related")(reported(sample_related_command))
app.command("inspect")(reported(inspect_command))
app.command("prompt")(reported(reads_tables(prompt_command)))
app.command("export")(reported(export_command))
app.command("rebalance")(reported(reads_tables(rebalance_command)))
app.command("impute")(reported(reads_tables(impute_command)))
app.command("augment")(reported(reads_tables(augment_command)))
app.command("replace")(reported(reads_tables(replace_command)))
app.command("pseudonymize")(reported(reads_tables(pseudonymize_command)))
app.command("demo")(reported(demo_command))
app.add_typer(privacy_app, name="privacy")
app.add_typer(models_app, name="models")
app.add_typer(schema_app, name="schema")
