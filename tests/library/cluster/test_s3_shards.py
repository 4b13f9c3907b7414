"""Shards in a bucket of an S3 server: drawn, taken up again, described and learned there."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
import s3fs
from typer.testing import CliRunner

from llmsynth import Synthesizer, sample_shards
from llmsynth.cli import app
from llmsynth.cluster.manifest import NAME
from llmsynth.errors import SettingsError
from llmsynth.generation.generator import SamplingSettings
from llmsynth.progress import Step
from llmsynth.tables.parquet_shards import ParquetShards

ROWS = 50_000
SEED = SamplingSettings(seed=5)


def _stamps(address: str) -> dict[str, tuple[object, object]]:
    files = s3fs.S3FileSystem()
    files.invalidate_cache()
    found = files.ls(address.removeprefix("s3://"), detail=True)
    return {
        one["name"].rsplit("/", 1)[-1]: (one["ETag"], one["LastModified"])
        for one in found
        if "part-" in one["name"]
    }


def test_a_table_in_a_bucket_goes_on_where_it_ended_and_is_learned_from_there(
    bundle: Path, bucket: str, tmp_path: Path
) -> None:
    seen: list[Step] = []
    out = f"{bucket}/deep/rows"
    cut = sample_shards(
        bundle,
        ROWS,
        out,
        settings=SEED,
        progress=seen.append,
        is_stopped=lambda: len(seen) > 2,
    )
    assert (cut.stopped, cut.rows) == ("interrupted", 32_768)
    before = _stamps(out)
    assert len(before) == 2

    run = CliRunner()
    again = ["sample", str(bundle), "--rows", str(ROWS), "--out", out, "--seed", "5"]
    result = run.invoke(app, again)
    assert result.exit_code == 0, result.output
    after = _stamps(out)
    assert {name: after[name] for name in before} == before
    assert len(after) == 4
    with s3fs.S3FileSystem().open(f"{out}/{NAME}") as file:
        facts = json.load(file)
    assert (facts["complete"], facts["rows"]) == (True, ROWS)
    whole = Synthesizer.load(bundle).sample(ROWS, seed=5).table
    shards = ParquetShards(out)
    assert pa.concat_tables(shards.batches()).equals(whole)
    with pytest.raises(SettingsError, match="holds another table"):
        sample_shards(bundle, ROWS, out, settings=SamplingSettings(seed=6))

    told = run.invoke(app, ["schema", out])
    assert told.exit_code == 0, told.output
    assert [column["name"] for column in json.loads(told.stdout)["columns"]] == [
        "age",
        "city",
        "spent",
    ]
    fit = ["fit", out, "--out", str(tmp_path / "again"), "--fit-rows", "300", "--max-epochs", "1"]
    result = run.invoke(app, fit)
    assert result.exit_code == 0, result.output
    learned = Synthesizer.load(tmp_path / "again")
    assert learned.sample(20).table.num_rows == 20
    assert learned.provenance_["sampled_from"]["rows"] == ROWS
