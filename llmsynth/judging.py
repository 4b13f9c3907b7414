"""How the judges are run: as a process on files, since the library must not import them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec

from llmsynth.errors import LlmsynthError, MissingExtraError

_MODULES = ("sklearn", "llmsynth_eval")
_MOST_SECONDS = 24 * 3600.0

Option = object | Sequence[object]


def require_judges() -> None:
    """Refuse before any work is spent on what could not be judged.

    Raises:
        MissingExtraError: the judges, or what they need, are not installed.
    """
    absent = [module for module in _MODULES if find_spec(module) is None]
    if absent:
        raise MissingExtraError(
            f"The package {absent[0]!r} is not installed.",
            hint='Install it with: pip install "llmsynth[eval]"',
        )


def run_judges(command: str, options: Mapping[str, Option]) -> str:
    """Run `python -m llmsynth_eval COMMAND` with options; a list gives an option several times.

    Returns:
        What it printed.

    Raises:
        MissingExtraError: the judges are not installed.
        LlmsynthError: they failed; with their last line.
    """
    require_judges()
    run = subprocess.run(
        [sys.executable, "-m", "llmsynth_eval", command, *_arguments(options)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=_MOST_SECONDS,
    )
    if run.returncode != 0:
        lines = run.stderr.strip().splitlines() or ["no reason given"]
        raise LlmsynthError(f"The judges failed: {lines[-1].removeprefix('error: ')}")
    return run.stdout


def _arguments(options: Mapping[str, Option]) -> list[str]:
    out = []
    for name, value in options.items():
        values = value if isinstance(value, list | tuple) else [value]
        # One word with its name: a value such as "-1" is no option.
        out += [f"--{name}={one}" for one in values]
    return out
