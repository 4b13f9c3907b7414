"""`llmsynth prompt` and `llmsynth schema propose`, with a tiny model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from llmsynth.cli import app
from llmsynth.cli.prompt import read_quotas
from llmsynth.errors import ConditionError
from llmsynth.schema import TableSchema
from llmsynth.synthesizers.prompted_schema import propose_schema

SCHEMA = {
    "columns": [
        {"name": "age", "kind": "number", "minimum": "0", "maximum": "99"},
        {"name": "income", "kind": "category", "categories": ["<=50K", ">50K"]},
    ]
}


@pytest.fixture(scope="module")
def model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("prompted_cli") / "wide"
    shutil.copytree(tiny_model, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 4096}))
    return str(folder)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    rows = {"age": [30, 41, 52], "income": ["<=50K", ">50K", "<=50K"]}
    pd.DataFrame(rows).to_csv(tmp_path / "three.csv", index=False)
    return tmp_path


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.output


def test_rows_come_with_their_quota_and_a_record(model: str, files: Path) -> None:
    status, told = run(
        "prompt", str(files / "schema.json"), "--examples", str(files / "three.csv"),
        "--rows", "10", "--out", str(files / "rows.csv"), "--model", model,
        "--quota", "income=>50K:0.3", "--marginal", "income", "--seed", "1",
        "--record", str(files / "record.json"),
    )  # fmt: skip
    assert status == 0, told
    assert "Wrote 10 rows" in told
    assert "Turned away:" in told
    rows = pd.read_csv(files / "rows.csv")
    assert rows["income"].tolist().count(">50K") == 3
    record = json.loads((files / "record.json").read_text())
    assert record["quotas"] == {"income": {">50K": 0.3}}


def test_examples_alone_are_enough_and_a_time_limit_is_told(model: str, files: Path) -> None:
    few = ["prompt", "--examples", str(files / "three.csv"), "--model", model]
    assert run(*few, "--rows", "2", "--out", str(files / "rows.parquet"))[0] == 0
    assert len(pd.read_parquet(files / "rows.parquet")) == 2
    status, told = run(
        *few, "--rows", "2", "--out", str(files / "none.csv"), "--max-seconds", "0.000001"
    )
    assert status == 2
    assert "None of 2 rows came about" in told
    assert not (files / "none.csv").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--engine", "openai"], "belong together"),
        (["--base-url", "http://127.0.0.1:1/v1"], "belong together"),
        (["--quota", "income"], "COLUMN=VALUE:SHARE"),
        ([], "schema, example rows, or both"),
    ],
)
def test_options_that_cannot_be_are_told_in_one_line(
    words: list[str], told: str, tmp_path: Path
) -> None:
    status, output = run("prompt", "--out", str(tmp_path / "x.csv"), *words)
    assert (status, told in output) == (2, True), output


def test_a_quotas_value_may_hold_signs_of_its_own() -> None:
    quotas = read_quotas(["income=<=50K:0.6", "income=>50K:0.4", "when=12:30:0.5"])
    assert quotas == {"income": {"<=50K": 0.6, ">50K": 0.4}, "when": {"12:30": 0.5}}
    for text in ("income", "income=>50K", "=x:0.5", "income=>50K:many"):
        with pytest.raises(ConditionError, match="COLUMN=VALUE:SHARE"):
            read_quotas([text])
    with pytest.raises(ConditionError, match="twice"):
        read_quotas(["a=b:0.1", "a=b:0.2"])


def test_a_proposal_is_well_formed_whatever_the_model_says(model: str) -> None:
    for seed in range(3):
        schema = propose_schema("Visits.", model=model, most_columns=4, seed=seed, temperature=1.0)
        assert TableSchema.from_json(schema.to_json()) == schema
        assert 1 <= len(schema.columns) <= 4
        assert all(column.description for column in schema.columns)


def test_the_command_proposes_a_draft_and_says_what_it_is(model: str) -> None:
    done = CliRunner().invoke(app, ["schema", "propose", "Visits.", "--model", model])
    assert done.exit_code == 0, done.output
    TableSchema.from_json(done.stdout)
    assert "correct names, kinds, bounds and categories" in done.stderr


def test_a_table_after_schema_still_means_infer(files: Path) -> None:
    for words in (["schema"], ["schema", "infer"], ["schema", "--target", "income"]):
        done = CliRunner().invoke(app, [*words, str(files / "three.csv")])
        assert done.exit_code == 0, done.output
        assert TableSchema.from_json(done.stdout).names == ("age", "income")
