"""Where rows go by the name of `--out`, and numbers of rows as people write them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from llmsynth import Synthesizer, demo_tables, infer_schema
from llmsynth.cli import app
from llmsynth.cli.shard_stream import is_folder, row_count
from llmsynth.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "rows"), [("70", 70), ("1_000", 1000), ("1e9", 10**9), ("2.5e3", 2500)]
)
def test_a_number_of_rows_may_be_short(text: str, rows: int) -> None:
    assert row_count(text) == rows


@pytest.mark.parametrize("text", ["many", "1.5", "1e-3", "1e999", "", "nan", "e"])
def test_what_is_no_number_of_rows_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="whole number"):
        row_count(text)


def test_a_name_with_an_ending_is_a_file(tmp_path: Path) -> None:
    folders = ["rows", "rows/", "s3://bucket/rows.parquet", str(tmp_path)]
    assert [is_folder(out) for out in folders] == [True] * 4
    assert not any(is_folder(out) for out in ("rows.parquet", "a/rows.csv.gz", "rows.txt"))


def test_the_command_writes_a_folder_and_goes_on_with_it(tmp_path: Path) -> None:
    bundle, out = tmp_path / "bundle", tmp_path / "rows"
    table = demo_tables.load("adult").slice(0, 200).select(["sex", "race"])
    Synthesizer(max_epochs=1, hidden_size=16, num_layers=1).fit(table).save(bundle)
    options = ["sample", str(bundle), "--rows", "2e2", "--out", str(out), "--where", "sex=Female"]
    for _ in range(2):
        result = CliRunner().invoke(app, options)
        assert result.exit_code == 0, result.output
        assert "Wrote 200 rows" in result.stdout
    assert pq.read_table(out).num_rows == 200
    refused = CliRunner().invoke(app, [*options[:-4], "--out", "x.csv", "--on", "ray"])
    assert refused.exit_code == 2
    assert "is a file; on Ray many workers write" in refused.stderr


def test_a_folder_of_parquet_is_fitted_on_an_even_sample(tmp_path: Path) -> None:
    table = demo_tables.load("adult").slice(0, 900).select(["age", "sex"])
    (tmp_path / "table").mkdir()
    for index in range(3):
        path = tmp_path / "table" / f"{index}.parquet"
        pq.write_table(table.slice(index * 300, 300), path)
    said = CliRunner().invoke(app, ["schema", str(tmp_path / "table")])
    assert said.stdout == infer_schema(table).to_json()
    options = ["fit", str(tmp_path / "table"), "--out", str(tmp_path / "bundle")]
    options += ["--fit-rows", "200", "--max-epochs", "1"]
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 0, result.output
    assert "Drew 200 of 900 rows of 2 columns from 3 files" in result.stdout
    record = json.loads((tmp_path / "bundle" / "provenance.json").read_text())
    assert (record["data"]["rows"], record["sampled_from"]["rows"]) == (200, 900)
    refused = CliRunner().invoke(app, [*options[:4], "--fit-rows", "0"])
    assert "--fit-rows must be at least 1" in refused.stderr
