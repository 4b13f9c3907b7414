"""Every expected failure becomes one line on stderr and an exit status."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable

import pytest
import typer
from typer.testing import CliRunner

import llmsynth
from llmsynth.cli.failures import reported
from llmsynth.errors import SchemaError, TableError


def _run(error: BaseException) -> tuple[int, str]:
    app = typer.Typer()

    @app.command()
    @reported
    def fail() -> None:
        raise error

    result = CliRunner().invoke(app)
    assert result.stdout == ""
    return result.exit_code, result.stderr


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (
            TableError("a.csv: row 3\nis short.", hint="Mend it."),
            2,
            "a.csv: row 3 is short. Mend it.",
        ),
        (SchemaError("No column 'x'.", hint=""), 2, "No column 'x'."),
        (PermissionError(errno.EACCES, "Permission denied", "out.csv"), 2, "out.csv: Permission "),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "No space left on device."),
        (ModuleNotFoundError(name="torch.nn"), 2, 'pip install "llmsynth[train]"'),
        (ModuleNotFoundError(name="sklearn"), 2, 'pip install "llmsynth[eval]"'),
    ],
)
def test_an_expected_failure_is_one_line_and_status_2(
    error: BaseException, status: int, line: str
) -> None:
    exit_code, said = _run(error)
    assert exit_code == status
    assert said.startswith("error: ")
    assert line in said
    assert said.count("\n") == 1


def test_an_interruption_is_status_130() -> None:
    assert _run(KeyboardInterrupt()) == (130, "interrupted\n")


@pytest.mark.parametrize("error", [ZeroDivisionError(), ModuleNotFoundError(name="llmsynth.nix")])
def test_a_fault_of_our_own_is_not_hidden(error: Exception) -> None:
    command: Callable[[], None] = reported(_raising(error))
    with pytest.raises(type(error)):
        command()


def test_a_reader_that_went_away_is_left_to_typer() -> None:
    with pytest.raises(BrokenPipeError):
        reported(_raising(BrokenPipeError(errno.EPIPE, "Broken pipe")))()


def _raising(error: Exception) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


def test_the_package_runs_as_a_module_as_well():
    told = subprocess.run(
        [sys.executable, "-m", "llmsynth", "--version"], capture_output=True, text=True, check=True
    )
    assert told.stdout == f"llmsynth {llmsynth.__version__}\n"
