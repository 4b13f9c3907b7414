from __future__ import annotations

from collections.abc import Sequence

import pytest
from typer.testing import CliRunner

from llmsynth.cli import app


@pytest.fixture
def invoke_app():
    """The command in this process: arguments in; exit status, stdout and stderr out."""

    def run(arguments: Sequence[object]) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, [str(part) for part in arguments])
        return result.exit_code, result.stdout, result.stderr

    return run
