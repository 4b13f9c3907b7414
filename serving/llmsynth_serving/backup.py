"""A copy of an embedded service that can be put in its place, made while it runs."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

from llmsynth_serving.objects.refusals import ConflictError, RefusedInputError
from llmsynth_serving.settings import ServiceSettings
from llmsynth_serving.storage import UNFINISHED


def back_up(settings: ServiceSettings, target: Path) -> int:
    """Copy databases, files and checkpoints into a folder that is a service's home itself.

    Returns:
        Bytes that were copied.

    Raises:
        RefusedInputError: the databases or the files are not in the home folder.
        ConflictError: the folder is there already.
    """
    if settings.database_url or settings.queue_url or settings.storage_url:
        raise RefusedInputError(
            "Only an embedded service is backed up by this command.",
            hint="Use pg_dump for its databases, and copy or version its bucket.",
        )
    if target.exists():
        raise ConflictError(f"{target} is there already.", hint="Name a new folder.")
    target.mkdir(parents=True, mode=0o700)
    # Files never change once they are there. They are copied before the databases, so that none
    # that a record names is removed first, and again afterwards, so that none is missing.
    for folder in ("files", "work"):
        _copy(settings.home / folder, target / folder)
    # The queue first: a job that only the queue knows is passed over, one that only the other
    # database knows would be lost if workers did not submit it again.
    for name in ("queue.db", "service.db"):
        _copy_database(settings.home / name, target / name)
    _copy(settings.home / "files", target / "files")
    return sum(file.stat().st_size for file in target.rglob("*") if file.is_file())


def _copy(source: Path, target: Path) -> None:
    for folder, _, names in os.walk(source):
        there = target / Path(folder).relative_to(source)
        there.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in names:
            if UNFINISHED in f"{folder}/{name}" or (there / name).exists():
                continue
            with contextlib.suppress(FileNotFoundError):  # removed since the folder was read
                shutil.copy2(Path(folder) / name, there / name)


def _copy_database(source: Path, target: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(source, timeout=30)) as old,
        contextlib.closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)
    target.chmod(0o600)
