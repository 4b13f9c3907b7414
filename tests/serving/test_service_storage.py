from __future__ import annotations

from pathlib import Path

import pytest
from llmsynth_serving.storage import Storage

from llmsynth.errors import InputError


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(f"file://{tmp_path}/files")


def test_a_file_appears_only_when_it_is_whole(storage: Storage) -> None:
    with storage.writing("a/b.bin") as file:
        file.write(b"1234")
        assert not storage.exists("a/b.bin")
    assert storage.size("a/b.bin") == 4
    with storage.open("a/b.bin") as file:
        assert file.read() == b"1234"


def test_a_failed_writing_leaves_nothing(storage: Storage, tmp_path: Path) -> None:
    def break_off() -> None:
        with storage.writing("a/b.bin") as file:
            file.write(b"12")
            raise KeyError

    with pytest.raises(KeyError):
        break_off()
    assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []


def test_a_crash_leaves_a_hidden_file_that_is_cleared_away_later(
    storage: Storage, tmp_path: Path
) -> None:
    (tmp_path / "files" / "x.unfinishedabc").write_bytes(b"half")
    stamp = (tmp_path / "files" / "x.unfinishedabc").stat().st_mtime
    assert storage.delete_unfinished(older_than_seconds=60, now=stamp + 30) == 0
    assert storage.delete_unfinished(older_than_seconds=60, now=stamp + 90) == 1
    assert not list((tmp_path / "files").iterdir())


def test_a_folder_is_put_whole_and_deleted_with_proof(storage: Storage, tmp_path: Path) -> None:
    source = tmp_path / "bundle"
    (source / "deep").mkdir(parents=True)
    (source / "a.json").write_text("{}")
    (source / "deep" / "b.json").write_text("[]")
    assert storage.put_folder(source, "synthesizers/1") == 4
    with storage.local_copy("synthesizers/1", tmp_path / "scratch") as local:
        assert (local / "deep" / "b.json").read_text() == "[]"
    removed = storage.delete("synthesizers/1")
    assert removed == ["synthesizers/1/a.json", "synthesizers/1/deep/b.json"]
    assert not storage.exists("synthesizers/1")
    assert storage.delete("synthesizers/1") == []


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../b", "", "a\\b", "a\0b"])
def test_no_path_leads_out_of_the_storage(storage: Storage, path: str) -> None:
    with pytest.raises(InputError, match="no path inside"):
        storage.exists(path)


def test_another_file_system_serves_as_well(tmp_path: Path) -> None:
    storage = Storage("memory://llmsynth-test")
    assert not storage.is_local
    with storage.writing("a/b.bin") as file:
        file.write(b"12345")
    with storage.local_copy("a/b.bin", tmp_path) as local:
        assert local.read_bytes() == b"12345"
    assert not list(tmp_path.iterdir())
    assert storage.delete("a") == ["a/b.bin"]
