"""Commands that need no model answer at once and load no model library."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import llmsynth

HEAVY = {"torch", "transformers", "tokenizers", "datasets", "sklearn", "scipy", "matplotlib"}
CPU_SECONDS = 2.0

# Prints what the command printed, then the heavy modules it loaded.
PROBE = f"""
import sys
from llmsynth.cli import app
try:
    app(sys.argv[1:])
finally:
    print("\\nHEAVY", *sorted({HEAVY} & set(sys.modules)))
"""


def _probe(*options: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", PROBE, *options], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    said, _, heavy = run.stdout.rpartition("\nHEAVY")
    assert heavy.split() == []
    return said


@pytest.mark.parametrize("options", [["--help"], ["fit", "--help"], ["demo", "--help"]])
def test_help_loads_no_model_library(options: list[str]) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "Usage" in _probe(*options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < CPU_SECONDS


def test_the_schema_of_a_table_comes_as_json_without_a_model_library(people: Path) -> None:
    schema = json.loads(_probe("schema", str(people), "--target", "city", "--missing", "Rome"))
    columns = {column["name"]: column for column in schema["columns"]}
    assert list(columns) == ["member_id", "age", "city", "income", "spent", "joined"]
    assert columns["city"]["categories"] == ["Lima", "Oslo"]
    assert columns["member_id"]["kind"] == "identifier"


def test_the_version_is_told() -> None:
    assert _probe("--version").strip() == f"llmsynth {llmsynth.__version__}"
