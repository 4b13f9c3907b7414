"""Rows by prompt from a server: a real process with a model behind the OpenAI-compatible call."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from llmsynth import PromptedSynthesizer, PromptSettings
from llmsynth.cli import app
from llmsynth.engines.endpoint_settings import EndpointSettings
from llmsynth.engines.openai_endpoint import OpenAIEndpoint
from llmsynth.schema import CategoryColumn, NumberColumn, TableSchema
from llmsynth.tables import conform

SCHEMA = TableSchema(
    columns=(
        NumberColumn(name="age", maximum="99"),
        CategoryColumn(name="job", categories=("baker", "clerk", "pilot")),
    )
)
EXAMPLES = pd.DataFrame({"age": [30, 41, 52], "job": ["baker", "clerk", "clerk"]})


@pytest.fixture(scope="module")
def model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "wide"
    shutil.copytree(tiny_model, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 2048}))
    return folder


@pytest.fixture(scope="module")
def url(model: Path) -> Iterator[str]:
    script = Path(__file__).parents[1] / "engines" / "masking_endpoint.py"
    with subprocess.Popen(
        [sys.executable, str(script), str(model)], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        server.terminate()


def test_a_servers_rows_are_valid_and_meet_their_quota(url: str, model: Path) -> None:
    engine = OpenAIEndpoint(EndpointSettings(base_url=url, rows_at_once=4))
    try:
        synthesizer = PromptedSynthesizer(
            schema=SCHEMA,
            examples=EXAMPLES,
            instruction="Patients.",
            model=str(model),
            engine=engine,
            settings=PromptSettings(rows_per_prompt=8),
        )
        first, second = (synthesizer.sample(12, quotas={"job": {"pilot": 0.5}}) for _ in range(2))
    finally:
        engine.close()
    assert first.table.equals(second.table)
    assert conform(first.table, SCHEMA).equals(first.table)
    assert first.table["job"].to_pylist().count("pilot") == 6
    known = {tuple(row) for row in EXAMPLES.to_numpy().tolist()}
    assert not known & {tuple(row.values()) for row in first.table.to_pylist()}
    assert (first.report.rows, first.report.unfinished) == (12, 0)


def test_the_command_asks_a_server_too(url: str, model: Path, tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text(SCHEMA.to_json())
    EXAMPLES.to_csv(tmp_path / "three.csv", index=False)
    command = ["prompt", str(tmp_path / "schema.json"), "--examples", str(tmp_path / "three.csv")]
    command += ["--rows", "4", "--out", str(tmp_path / "rows.csv"), "--model", str(model)]
    done = CliRunner().invoke(app, [*command, "--engine", "openai", "--base-url", url])
    assert done.exit_code == 0, done.output
    assert len(pd.read_csv(tmp_path / "rows.csv")) == 4


def test_a_server_that_is_not_there_is_told_in_one_line(model: Path, tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text(SCHEMA.to_json())
    command = ["prompt", str(tmp_path / "schema.json"), "--out", str(tmp_path / "rows.csv")]
    command += ["--model", str(model), "--engine", "openai", "--base-url", "http://127.0.0.1:9/v1"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2
    assert "127.0.0.1:9" in done.output
