"""The commands of whoever runs the service."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

import llmsynth
from llmsynth.cli.failures import reported
from llmsynth_serving.backup import back_up
from llmsynth_serving.database.sessions import Database
from llmsynth_serving.database.upgrade import check, revision
from llmsynth_serving.development import run_both
from llmsynth_serving.installation import first_key, migrate
from llmsynth_serving.key_commands import keys_app
from llmsynth_serving.logs import set_up_logs
from llmsynth_serving.processes.parent import die_with_parent
from llmsynth_serving.queue.durable import QUEUES, Queue, prepare_queue
from llmsynth_serving.queue.worker import run_worker
from llmsynth_serving.settings import ServiceSettings

DRAIN_SECONDS = 10
"""How long requests under way may take to end after SIGTERM."""

KEEP_ALIVE_SECONDS = 75
"""Longer than clients and proxies keep an idle connection, which must not end under a request."""
STILL_SECONDS = 60
"""An API process that gives no sign of life for so long is replaced, where there are several."""

app = typer.Typer(
    name="llmsynth-serve",
    help="The service: an HTTP API, and workers for what takes long. "
    "Settings are environment variables, LLMSYNTH_SERVE_...",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
WithParent = Annotated[bool, typer.Option("--with-parent", hidden=True)]


@reported
def init_command() -> None:
    """Make databases and folders, and print the first key, once."""
    settings = ServiceSettings.from_environment()
    migrate(settings)
    _tell_first_key(settings)


@reported
def migrate_command() -> None:
    """Bring the databases to the form of this version."""
    settings = ServiceSettings.from_environment()
    migrate(settings)
    database = Database(settings.database)
    typer.echo(f"The database is in form {revision(database)}.")
    database.close()


@reported
def backup_command(
    folder: Annotated[Path, typer.Argument(help="A new folder, which can become the home.")],
) -> None:
    """Copy an embedded service, running or not."""
    num_bytes = back_up(ServiceSettings.from_environment(), folder)
    typer.echo(f"{num_bytes:,} bytes are in {folder}.")


@reported
def api_command(
    processes: Annotated[
        int, typer.Option(min=1, help="How many answer; one process uses one core.")
    ] = 1,
    with_parent: WithParent = False,
) -> None:
    """Answer requests."""
    if with_parent:
        die_with_parent(signal.SIGTERM)
    settings = ServiceSettings.from_environment()
    set_up_logs()
    _check(settings)
    prepare_queue(settings.queue)  # once, not by all processes at once
    uvicorn.run(
        # By name: a worker, which these commands start as well, then need not load it.
        "llmsynth_serving.app:from_environment",
        factory=True,
        workers=processes,
        timeout_worker_healthcheck=STILL_SECONDS,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )


@reported
def worker_command(
    queue: Annotated[
        list[str] | None, typer.Option(help=f"Which jobs to take: {', '.join(QUEUES)}.")
    ] = None,
    with_parent: WithParent = False,
) -> None:
    """Do jobs."""
    if with_parent:
        die_with_parent(signal.SIGTERM)
    settings = ServiceSettings.from_environment()
    set_up_logs()
    _check(settings)
    run_worker(settings, _queues(queue or ["cpu"]))


@reported
def dev_command(
    home: Annotated[Path | None, typer.Option(help="Folder of databases and files.")] = None,
    port: Annotated[int | None, typer.Option(help="Where to listen, on this machine.")] = None,
) -> None:
    """Run the API and one worker in this terminal; Ctrl-C ends both."""
    settings = ServiceSettings.from_environment()
    changes = {"home": home, "port": port}
    settings = settings.changed(**{k: v for k, v in changes.items() if v is not None})
    migrate(settings)
    _tell_first_key(settings)
    address = f"http://{settings.host}:{settings.port}"
    typer.echo(f"Open {address} in a browser and sign in with a key.", err=True)
    typer.echo(f"{address}/schema/openapi.json describes the API.", err=True)
    raise typer.Exit(run_both(settings))


def _tell_first_key(settings: ServiceSettings) -> None:
    key = first_key(settings)
    if key is None:
        typer.echo("There are keys already; `llmsynth-serve keys create` makes another.", err=True)
        return
    typer.echo("The first key, with the scope admin. It is kept as a hash: note it now.", err=True)
    typer.echo(key)


def _check(settings: ServiceSettings) -> None:
    database = Database(settings.database)
    try:
        check(database)
    finally:
        database.close()


def _queues(names: list[str]) -> tuple[Queue, ...]:
    unknown = [name for name in names if name not in QUEUES]
    if unknown:
        raise typer.BadParameter(f"--queue is one of {', '.join(QUEUES)}, got {unknown[0]!r}.")
    return tuple(queue for queue in QUEUES if queue in names)


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"llmsynth-serve {llmsynth.__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version."),
    ] = False,
) -> None:
    del version


app.command("init")(init_command)
app.command("migrate")(migrate_command)
app.command("backup")(backup_command)
app.command("api")(api_command)
app.command("worker")(worker_command)
app.command("dev")(dev_command)
app.add_typer(keys_app, name="keys")
