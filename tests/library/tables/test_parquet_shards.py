"""Tables in Parquet files: read in passes, sampled evenly, described without holding them."""

from __future__ import annotations

from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llmsynth import demo_tables, infer_schema
from llmsynth.errors import TableError
from llmsynth.tables.parquet_shards import ParquetShards


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files of Adult beside what readers of a folder pass over."""
    table = demo_tables.load("adult").slice(0, 9000)
    for index in range(3):
        path = tmp_path / f"part-{index}.parquet"
        pq.write_table(table.slice(index * 3000, 3000), path, row_group_size=700)
    (tmp_path / "_manifest.json").write_text("{}")
    (tmp_path / ".part-3.parquet.unfinished").write_text("half")
    return tmp_path


def test_a_folder_is_one_table(folder: Path) -> None:
    shards = ParquetShards(folder)
    table = demo_tables.load("adult").slice(0, 9000)
    assert (shards.num_rows, len(shards.paths)) == (9000, 3)
    assert pa.concat_tables(shards.batches()).equals(table.replace_schema_metadata(None))
    assert shards.schema(target="income") == infer_schema(table, target="income")
    only = pa.concat_tables(shards.batches(["age"], paths=shards.paths[2:]))
    assert only["age"].to_pylist() == table["age"].to_pylist()[6000:]


def test_shards_described_apart_are_described_together(folder: Path) -> None:
    shards = ParquetShards(folder)
    first, *others = [shards.evidence(paths=[path]) for path in shards.paths]
    for other in others:
        first.merge(other)
    assert first.schema() == shards.schema()


def test_every_row_is_as_likely_to_be_sampled(tmp_path: Path) -> None:
    for index in range(4):
        rows = np.arange(index * 50, index * 50 + 50)
        pq.write_table(pa.table({"n": rows}), tmp_path / f"{index}.parquet", row_group_size=7)
    shards = ParquetShards(tmp_path)
    counts = np.zeros(200)
    for seed in range(400):
        found = shards.sample(20, seed=seed)["n"].to_numpy()
        assert len(np.unique(found)) == 20
        assert np.all(np.diff(found) > 0)
        counts[found] += 1
    # 400 draws with chance .1 each: 40, standard deviation 6; six of them for 200 rows.
    assert 4 < counts.min() <= counts.max() < 76
    assert shards.sample(20, seed=1).equals(shards.sample(20, seed=1))
    assert shards.sample(10**6)["n"].to_pylist() == list(range(200))


def test_a_bucket_is_read_like_a_folder(folder: Path) -> None:
    files = fsspec.filesystem("memory")
    files.put(str(folder) + "/", "/bucket/adult/", recursive=True)
    shards = ParquetShards("memory://bucket/adult")
    assert shards.num_rows == 9000
    assert shards.sample(50, seed=3).equals(ParquetShards(folder).sample(50, seed=3))
    files.rm("/bucket", recursive=True)


def test_what_is_no_table_is_refused(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(TableError, match="holds no Parquet file"):
        ParquetShards(tmp_path / "empty")
    (folder / "part-3.parquet").write_text("not parquet")
    with pytest.raises(TableError, match="cannot be read as Parquet"):
        ParquetShards(folder)
    pq.write_table(pa.table({"age": [1]}), folder / "part-3.parquet")
    with pytest.raises(TableError, match="other columns or types than"):
        ParquetShards(folder)
    with pytest.raises(TableError, match="no such kind of address"):
        ParquetShards("nowhere://x")
