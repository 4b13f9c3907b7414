"""Which private fits were started in a folder: each of them spent, whatever became of it.

A fit that is started anew after a crash reads the table again and spends again. This file makes the
next ledger say so; a fit that goes on from its checkpoint is no new one. It holds nothing of any
table.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path

from llmsynth.errors import PrivacyError
from llmsynth.privacy.settings import PrivacySettings

_FILE = "privacy_journal.json"


def begin(folder: Path, settings: PrivacySettings, delta: float) -> list[dict[str, object]]:
    """Write down that a fit starts, before it reads a row; earlier ones come back.

    Raises:
        PrivacyError: the journal is there and cannot be read, so what was spent is not known.
    """
    attempts = read(folder)
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    own = {"started": now, "epsilon": settings.epsilon, "delta": delta, "finished": False}
    _write(folder, [*attempts, own])
    return attempts


def times_taken_up(folder: Path) -> int:
    """How often the fit that was started last has gone on from its checkpoint."""
    attempts = read(folder)
    return int(str(attempts[-1].get("taken_up", 0))) if attempts else 0


def take_up(folder: Path) -> list[dict[str, object]]:
    """Note that the fit that was started last goes on; the ones before it come back.

    What it had released stays as it was, and what it spends is still what it began with.

    Raises:
        PrivacyError: the journal cannot be read, or holds no unfinished fit.
    """
    attempts = read(folder)
    if not attempts or attempts[-1]["finished"]:
        raise PrivacyError(f"The journal in {folder} holds no unfinished fit to go on with.")
    attempts[-1]["taken_up"] = times_taken_up(folder) + 1
    _write(folder, attempts)
    return attempts[:-1]


def finish(folder: Path) -> None:
    """Note that the fit that was started last has ended as it should."""
    attempts = read(folder)
    if attempts:
        attempts[-1]["finished"] = True
        _write(folder, attempts)


def read(folder: Path) -> list[dict[str, object]]:
    """The fits started in a folder, oldest first.

    Raises:
        PrivacyError: the journal is there and cannot be read.
    """
    path = folder / _FILE
    if not path.exists():
        return []
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return [dict(attempt) for attempt in data["attempts"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PrivacyError(
            f"The journal of private fits {path} cannot be read: {error}.",
            hint="What was spent on this table is not known; restore the file.",
        ) from error


def _write(folder: Path, attempts: list[dict[str, object]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data: Mapping[str, object] = {"attempts": attempts}
    temporary = folder / (_FILE + ".new")
    temporary.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    temporary.replace(folder / _FILE)
