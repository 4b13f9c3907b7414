"""What the end-to-end tests start from: a small table, the program, and a synthesizer it fitted."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner

from llmsynth.cli import app

Start = Callable[..., "subprocess.Popen[str]"]

PROGRAM = (sys.executable, "-W", "error", "-c", "from llmsynth.cli import app; app()")


def _rows(count: int) -> list[str]:
    """People whose city and income go with their age; some cities are missing."""
    draw = random.Random(7)
    rows = ["member_id,age,city,income,spent,joined"]
    for number in range(count):
        age = draw.randint(18, 79)
        city = draw.choice(("Oslo", "Rome", "") if age < 40 else ("Lima", "Rome"))
        income, day = age * 100 + draw.randint(0, 999), draw.randint(10, 28)
        rows.append(f"M{number:09},{age},{city},{income},{draw.randint(0, 99)},2024-03-{day}")
    return rows


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "people.csv"
    path.write_text("\n".join(_rows(300)) + "\n")
    return path


@pytest.fixture(scope="session")
def fitted(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fitted") / "synthesizer"
    options = ["fit", str(people), "--out", str(folder), "--target", "city", "--max-epochs", "12"]
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts the program in a process of its own, one thread, Ctrl-C as a terminal has it."""
    with ExitStack() as started:

        def run(*options: str | Path) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [*PROGRAM, *map(str, options)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                # A test run in the background ignores Ctrl-C, and its children would, too.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )
            started.enter_context(process)
            started.callback(process.kill)
            return process

        yield run


@pytest.fixture
def invoke() -> Callable[[Sequence[str | Path]], tuple[int, str, str]]:
    """Runs a command in this process: exit status, stdout, stderr."""

    def run(options: Sequence[str | Path]) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, [str(option) for option in options])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, result.stdout, result.stderr

    return run
