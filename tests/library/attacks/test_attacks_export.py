"""Somebody exports a bundle that was not fit to leave."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from llmsynth.bundle.owner import OwnerFolder
from llmsynth.cli import app

SECRET = 'She said "no one knows" by the harbour of Ynysddu.'


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "people.model"
    folder.mkdir()
    for name in ("config.json", "schema.json"):
        (folder / name).write_text("{}")
    (folder / "provenance.json").write_text(json.dumps({"data": {"hmac_sha256": "a"}}))
    owner = OwnerFolder.of(folder)
    owner.make(owner.guard)
    (owner.guard / "spans.safetensors").write_bytes(b"hashes")
    pd.DataFrame({"note": [SECRET, "short"]}).to_csv(tmp_path / "people.csv", index=False)
    return folder


def export(bundle: Path, *more: str) -> tuple[int, str]:
    out = bundle.parent / "out.zip"
    command = [
        "export",
        str(bundle),
        "--out",
        str(out),
        "--data",
        str(bundle.parent / "people.csv"),
    ]
    done = CliRunner().invoke(app, [*command, *more])
    return done.exit_code, done.output


def test_the_owners_folder_stays_at_home(bundle: Path) -> None:
    status, told = export(bundle)
    assert status == 0, told
    names = zipfile.ZipFile(bundle.parent / "out.zip").namelist()
    assert sorted(names) == ["config.json", "export.json", "provenance.json", "schema.json"]


def test_a_planted_text_is_refused_until_it_is_accepted(bundle: Path) -> None:
    (bundle / "schema.json").write_text(json.dumps({"values": [SECRET]}))
    status, told = export(bundle)
    assert status == 2
    assert "[training-text] schema.json holds 1 of 1 long cells" in told
    assert not (bundle.parent / "out.zip").exists()
    status, told = export(bundle, "--accept", "training-text")
    assert status == 0, told
    note = json.loads(zipfile.ZipFile(bundle.parent / "out.zip").read("export.json"))
    assert [finding["name"] for finding in note["accepted"]] == ["training-text"]


@pytest.mark.parametrize("name", ["spans.safetensors", "tuning/examples.arrow"])
def test_files_of_earlier_builds_that_read_back_are_refused(bundle: Path, name: str) -> None:
    (bundle / name).parent.mkdir(exist_ok=True)
    (bundle / name).write_bytes(b"rows")
    status, told = export(bundle)
    assert status == 2
    assert "[work-file]" in told


def test_a_plain_hash_is_refused(bundle: Path) -> None:
    (bundle / "provenance.json").write_text(json.dumps({"data": {"sha256": "a"}}))
    status, told = export(bundle)
    assert status == 2
    assert "[plain-hash]" in told
