"""A saved synthesizer: five plain files, nothing that executes, no person in it, clear refusals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tokenizers import Tokenizer

from llmsynth import Synthesizer
from llmsynth.errors import BundleError

_FILES = {
    "config.json",
    "model.safetensors",
    "provenance.json",
    "schema.json",
    "tokenizer.json",
}
_RARE = "zz-only-two-people"
_ODD = 'a=b; "c"\nd'


@pytest.fixture(scope="module")
def fitted() -> Synthesizer:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": rng.integers(18, 80, 300),
            "job": rng.choice(["baker", "clerk", _ODD], 300),
            "pay": rng.normal(1000, 120, 300).round(2),
            "name=x": rng.choice(["null", "", "~~", "<row>"], 300),
        }
    )
    table.loc[[3, 11], "job"] = _RARE
    table.loc[5, "pay"] = 1007.37
    table.loc[7, "age"] = 113
    table = table.drop_duplicates("pay")
    synthesizer = Synthesizer(max_epochs=2, hidden_size=32, num_layers=1, target="job")
    return synthesizer.fit(table)


@pytest.fixture
def folder(fitted: Synthesizer, tmp_path: Path) -> Path:
    return fitted.save(tmp_path / "model")


def test_a_loaded_synthesizer_draws_the_same_rows(fitted: Synthesizer, folder: Path) -> None:
    loaded = Synthesizer.load(folder)
    assert loaded.sample(300, seed=4).table.equals(fitted.sample(300, seed=4).table)
    where = {"job": "baker"}
    assert loaded.sample(50, where=where).table.equals(fitted.sample(50, where=where).table)
    assert loaded.schema_ == fitted.schema_
    assert loaded.target == "job"


def test_a_loaded_synthesizer_can_be_saved_again(folder: Path, tmp_path: Path) -> None:
    again = Synthesizer.load(folder).save(tmp_path / "again")
    for name in _FILES:
        assert (again / name).read_bytes() == (folder / name).read_bytes()


def test_a_bundle_is_five_files_of_safetensors_and_json(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == _FILES
    for path in folder.glob("*.json"):
        json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    header = (folder / "model.safetensors").read_bytes()
    size = int.from_bytes(header[:8], "little")
    assert isinstance(json.loads(header[8 : 8 + size]), dict)


def test_figures_that_are_no_numbers_become_null(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": ["a", "b", "a"]})
    synthesizer = Synthesizer(max_epochs=1, hidden_size=16, num_layers=1, keep_rare=True).fit(table)
    text = (synthesizer.save(tmp_path) / "provenance.json").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=pytest.fail)["training"]["held_out_loss"] is None


def test_the_tokenizer_file_loads_and_gives_each_token_its_row(
    fitted: Synthesizer, folder: Path
) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    vocabulary = tokenizer.get_vocab()
    shape = fitted.learner_.model.shape
    assert sorted(vocabulary.values()) == list(range(shape.num_tokens + 1))
    assert tokenizer.token_to_id("<row>") == shape.begin_token
    tokens = ["age=" + tokenizer.id_to_token(0).removeprefix("age="), "job=clerk"]
    assert tokenizer.encode("\n".join(tokens)).ids == [0, vocabulary["job=clerk"]]
    assert all("\n" not in token for token in vocabulary)


def test_no_rare_category_and_no_persons_number_is_in_any_file(folder: Path) -> None:
    for path in folder.iterdir():
        content = path.read_bytes()
        assert _RARE.encode() not in content, path.name
        assert b"1007.37" not in content, path.name
        assert b'"113"' not in content, path.name


def test_the_provenance_says_what_was_protected(folder: Path) -> None:
    found = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    assert found["protected"]["categories"] == {"job": 1}
    assert found["protected"]["cells_left_out"] == {"job": 2}
    assert found["protected"]["extreme_cells"]["age"] >= 1
    assert found["settings"]["target"] == "job"
    assert len(found["data"]["hmac_sha256"]) == 64


@pytest.mark.parametrize("name", sorted(_FILES))
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=name):
        Synthesizer.load(folder)


@pytest.mark.parametrize("name", sorted(_FILES - {"tokenizer.json"}))  # which is for others to read
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[]", b"{}"])
def test_a_broken_file_is_refused(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(BundleError):
        Synthesizer.load(folder)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("config.json", '"hidden_size": 32', '"hidden_size": 48'),
        ("config.json", '"hidden_size": 32', '"hidden_size": "wide"'),
        ("config.json", '"num_attention_heads": 1', '"num_attention_heads": 0'),
        ("config.json", '"num_attention_heads": 1', '"num_attention_heads": 5'),
        ("config.json", '"num_hidden_layers": 1', '"num_hidden_layers": 2'),
        ("config.json", '"llmsynth": {', '"somebody": {'),
        ("config.json", '"order": [', '"orders": ['),
        ("provenance.json", "llmsynth-bundle-1", "another-bundle-7"),
        ("schema.json", '"baker",', ""),
        ("schema.json", '"kind": "number"', '"kind": "numeral"'),
    ],
)
def test_a_bundle_that_contradicts_itself_is_refused(
    folder: Path, name: str, old: str, new: str
) -> None:
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BundleError):
        Synthesizer.load(folder)


def test_a_foreign_checkpoint_is_refused(folder: Path) -> None:
    shutil.copy(folder / "config.json", folder / "own.json")
    data = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    data["llmsynth"] = "yes"
    (folder / "config.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(BundleError, match="not written by llmsynth"):
        Synthesizer.load(folder)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a saved synthesizer"):
        Synthesizer.load(tmp_path / "nowhere")


def test_a_place_that_cannot_be_written_is_said(fitted: Synthesizer, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    with pytest.raises(BundleError, match="cannot be written"):
        fitted.save(tmp_path / "taken")
