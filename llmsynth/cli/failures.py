"""How a command ends badly: one line on stderr and an exit status, never a traceback."""

from __future__ import annotations

import errno
import functools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TextIO

import typer

from llmsynth.errors import LlmsynthError, MissingExtraError
from llmsynth.tables.reading_notes import ReadingWarning
from llmsynth.tables.respelling import RespellingWarning

_TOLD = (ReadingWarning, RespellingWarning)

WRONG_INPUT = 2
PARTIAL = 3
TOO_LITTLE = 4
"""A time limit ended a fit before the model had learned much; what there is, is saved."""
INTERRUPTED = 130
"""128 and the number of SIGINT, as shells have it."""

_EXTRAS = {
    "dp_accounting": "privacy",
    "jinja2": "train",
    "opacus": "privacy",
    "outlines_core": "train",
    "safetensors": "train",
    "tokenizers": "train",
    "torch": "train",
    "transformers": "train",
    "llmsynth_eval": "eval",
    "sklearn": "eval",
}

_Options = ParamSpec("_Options")


def reported(command: Callable[_Options, None]) -> Callable[_Options, None]:
    """The command with every expected failure told in one line, and every note on what it read.

    Exit status 2 where something given was wrong or a file could not be written, 130 after Ctrl-C.
    """

    @functools.wraps(command)
    def run(*args: _Options.args, **options: _Options.kwargs) -> None:
        try:
            with _notes_told():
                command(*args, **options)
        except LlmsynthError as error:
            raise _told(error) from error
        except ModuleNotFoundError as error:
            raise _told(missing_extra(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # whoever read our output has had enough; typer ends quietly
            raise _told(_unusable(error)) from error
        except KeyboardInterrupt as error:
            typer.echo("interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from error

    return run


@contextmanager
def _notes_told() -> Iterator[None]:
    """Tell what was decided while a table was read in a line each, on stderr, once."""
    told = set[str]()
    with warnings.catch_warnings():
        for kind in _TOLD:
            warnings.simplefilter("always", kind)
        shown = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if not isinstance(message, _TOLD):
                shown(message, category, filename, lineno, file, line)
            elif str(message) not in told:
                told.add(str(message))
                typer.echo(f"note: {' '.join(str(message).split())}", err=True)

        warnings.showwarning = show
        yield


def missing_extra(error: ModuleNotFoundError) -> MissingExtraError:
    """What to install for a module that is not there.

    Raises:
        ModuleNotFoundError: the same, where no extra brings the module.
    """
    module = (error.name or "").split(".")[0]
    if module not in _EXTRAS:
        raise error
    return MissingExtraError(
        f"The package {module!r} is not installed.",
        hint=f'Install it with: pip install "llmsynth[{_EXTRAS[module]}]"',
    )


def _told(error: LlmsynthError) -> typer.Exit:
    typer.echo(f"error: {' '.join(str(error).split())}", err=True)
    return typer.Exit(WRONG_INPUT)


def _unusable(error: OSError) -> LlmsynthError:
    place = f"{error.filename}: " if error.filename else ""
    return LlmsynthError(f"{place}{error.strerror or error}.", hint="Check the path and its space.")
