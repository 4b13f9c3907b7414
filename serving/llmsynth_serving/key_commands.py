"""`llmsynth-serve keys`: the keys of a project, for whoever sits at the machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from llmsynth.cli.failures import reported
from llmsynth_serving.accounts.keys import SCOPES
from llmsynth_serving.database.records import ApiKey, now
from llmsynth_serving.database.sessions import Database
from llmsynth_serving.database.upgrade import check
from llmsynth_serving.objects import keys
from llmsynth_serving.objects.projects import DEFAULT, find_project, open_project
from llmsynth_serving.objects.refusals import RefusedInputError
from llmsynth_serving.settings import ServiceSettings

keys_app = typer.Typer(help="Make, list, renew and revoke keys.", no_args_is_help=True)
InProject = Annotated[str, typer.Option("--project", help="Whose keys; made where it is new.")]
KeyId = Annotated[str, typer.Argument(help="The key's id, as `keys list` has it.")]


@reported
def create_command(
    name: Annotated[str, typer.Option(help="What the key is for.")],
    scope: Annotated[str, typer.Option(help=f"{', '.join(SCOPES)}; each has those before.")],
    project: InProject = DEFAULT,
    days: Annotated[float | None, typer.Option(help="How long it is valid.")] = None,
    max_storage_bytes: Annotated[int | None, typer.Option()] = None,
    max_rows: Annotated[int | None, typer.Option(help="Generated rows held.")] = None,
    max_running_jobs: Annotated[int | None, typer.Option()] = None,
) -> None:
    """Make a key and print it, once."""
    known = next((s for s in SCOPES if s == scope), None)
    if known is None:
        raise RefusedInputError(f"--scope is one of {', '.join(SCOPES)}, got {scope!r}.")
    with _session() as session:
        _, text = keys.create(
            session,
            project_id=open_project(session, project).id,
            name=name,
            scope=known,
            expires_at=None if days is None else now() + timedelta(days=days),
            limits={
                "max_storage_bytes": max_storage_bytes,
                "max_rows": max_rows,
                "max_running_jobs": max_running_jobs,
            },
        )
    typer.echo(text)


@reported
def list_command(project: InProject = DEFAULT) -> None:
    """List a project's keys; the keys themselves are kept nowhere."""
    with _session() as session:
        found = keys.list_keys(session, find_project(session, project).id)
    for key in found:
        typer.echo(f"{key.id}  {key.scope:5}  {_state(key):24}  {key.name}")


@reported
def rotate_command(key_id: KeyId, project: InProject = DEFAULT) -> None:
    """Make a key like another one, print it, and revoke that."""
    with _session() as session:
        owner = find_project(session, project).id
        _, text = keys.rotate(session, key_id, project_id=owner)
    typer.echo(text)


@reported
def revoke_command(key_id: KeyId, project: InProject = DEFAULT) -> None:
    """End a key."""
    with _session() as session:
        keys.revoke(session, key_id, project_id=find_project(session, project).id)
    typer.echo("revoked")


@contextmanager
def _session() -> Iterator[Session]:
    database = Database(ServiceSettings.from_environment().database)
    try:
        check(database)
        with database.session() as session:
            yield session
    finally:
        database.close()


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None:
        return f"until {key.expires_at:%Y-%m-%d %H:%M} UTC"
    return "valid"


keys_app.command("create")(create_command)
keys_app.command("list")(list_command)
keys_app.command("rotate")(rotate_command)
keys_app.command("revoke")(revoke_command)
