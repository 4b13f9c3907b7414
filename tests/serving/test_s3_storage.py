"""The service's files in a bucket of an S3 server."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from llmsynth_serving.database.records import Job, Table
from llmsynth_serving.storage import Storage

from llmsynth.demo_tables import load


def test_files_and_folders_come_whole_and_go_with_proof(bucket: str, tmp_path: Path) -> None:
    storage = Storage(f"{bucket}/service/")
    assert storage.names("a") == []

    def break_off() -> None:
        with storage.writing("a/broken.bin") as file:
            file.write(b"12")
            raise KeyError

    with pytest.raises(KeyError):
        break_off()
    with storage.writing("a/b.bin") as file:
        file.write(b"1234")
    assert storage.names("a") == ["b.bin"]
    assert (storage.size("a/b.bin"), storage.exists("a/broken.bin")) == (4, False)
    assert storage.address("a/b.bin") == f"{bucket}/service/a/b.bin"
    with storage.open("a/b.bin") as file:
        assert file.read() == b"1234"
    source = tmp_path / "bundle"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "b.json").write_text("[]")
    assert storage.put_folder(source, "synthesizers/1") == 2
    with storage.local_copy("synthesizers/1", tmp_path / "scratch") as local:
        assert (local / "deep" / "b.json").read_text() == "[]"
    assert storage.delete("synthesizers/1") == ["synthesizers/1/deep/b.json"]
    assert storage.delete("synthesizers/1") == []


@pytest.mark.slow
def test_jobs_of_workers_leave_their_tables_in_the_bucket(workplace, bucket: str) -> None:
    workplace.settings = workplace.settings.changed(storage_url=f"{bucket}/service")
    workplace.storage = Storage(workplace.settings.storage)
    workplace.start_worker()
    fit = workplace.add_fit(workplace.add_table(load("adult").slice(0, 400)), max_epochs=1)
    synthesizer_id = workplace.wait_for_end(fit).spec["synthesizer_id"]
    spec = {"synthesizer_id": synthesizer_id, "table_id": "t", "rows": 40_000, "seed": 3}
    drawn = workplace.submit(Job(project_id="p1", name="rows", kind="sample", spec=spec))
    ended = workplace.wait_for_end(drawn)
    assert (ended.state, ended.error) == ("succeeded", None)
    with workplace.database.session() as session:
        table = session.get(Table, "t")
    with Storage(workplace.settings.storage).open(table.path) as file:
        assert pq.read_metadata(file).num_rows == 40_000
