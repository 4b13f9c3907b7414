"""A table with free text, learned with a pretrained model: fitted, sampled, saved, refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from llmsynth import Synthesizer
from llmsynth.errors import (
    BundleError,
    ConditionError,
    ModelError,
    SettingsError,
)
from llmsynth.synthesizers.text_settings import TextSettings
from llmsynth.training.tuning_settings import TuningSettings


def patients(num_rows: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "id": [f"P-{number:05d}" for number in rng.permutation(num_rows) * 7 + 100],
            "age": rng.integers(18, 80, num_rows),
            "sex": rng.choice(["female", "male"], num_rows),
            "job": rng.choice(["baker", "clerk", "pilot"], num_rows),
        }
    )
    table["note"] = [
        f"A {sex} {job} of {age} years came in on day {day}."
        for age, sex, job, day in zip(
            table["age"], table["sex"], table["job"], range(num_rows), strict=True
        )
    ]
    return table


def small(model: Path, path: str = "joint", **settings: object) -> Synthesizer:
    tuning = TuningSettings(rank=4, learning_rate=1e-2, batch_tokens=512)
    text = TextSettings(path=path, copy_guard=8, tuning=tuning)
    chosen = {"model": str(model), "max_epochs": 1, "hidden_size": 32, "num_layers": 1, **settings}
    return Synthesizer(text=text, **chosen)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return patients()


@pytest.fixture(scope="module", params=["joint", "pretrained"])
def fitted(request: pytest.FixtureRequest, tiny_model: Path, table: pd.DataFrame) -> Synthesizer:
    return small(tiny_model, request.param).fit(table)


def test_rows_have_the_columns_types_and_bounds_of_the_table(
    fitted: Synthesizer, table: pd.DataFrame
) -> None:
    sample = fitted.sample(12, seed=1)
    rows = sample.to_pandas()
    assert len(rows) == 12
    assert list(rows.columns) == list(table.columns)
    assert set(rows["sex"]) <= {"female", "male"}
    assert rows["age"].between(18, 79).all()
    assert rows["note"].str.len().max() <= fitted.schema_.column("note").maximum_length
    assert rows["id"].str.fullmatch(r"P-\d{5}").all()
    assert sample.report.text_masked_mass is not None


def test_a_seed_repeats_its_rows_and_another_does_not(fitted: Synthesizer) -> None:
    first = fitted.sample(6, seed=3).table
    assert fitted.sample(6, seed=3).table.equals(first)
    assert not fitted.sample(6, seed=4).table.equals(first)


def test_typed_columns_can_be_given(fitted: Synthesizer) -> None:
    rows = fitted.sample(5, where={"sex": "male", "age": 40}).to_pandas()
    assert (rows["sex"] == "male").all()
    assert (rows["age"] == 40).all()
    assert rows["note"].notna().all()


def test_a_text_can_be_given_and_the_rest_is_written(fitted: Synthesizer) -> None:
    notes = pd.DataFrame({"note": ["A male clerk of 30 years came in.", 'odd "one"; a=b\n']})
    rows = fitted.sample(given=notes).to_pandas()
    assert rows["note"].tolist() == notes["note"].tolist()
    assert set(rows["job"]) <= {"baker", "clerk", "pilot"}


def test_what_the_schema_cannot_hold_is_no_condition(fitted: Synthesizer) -> None:
    with pytest.raises(ConditionError, match="nobody"):
        fitted.sample(2, where={"job": "nobody", "note": "x"})
    with pytest.raises(ConditionError, match="'colour'"):
        fitted.sample(2, where={"colour": "red", "note": "x"})
    with pytest.raises(ConditionError, match=r"'id'"):
        fitted.sample(2, where={"id": "P-00001", "note": "x"})


def test_a_loaded_synthesizer_draws_the_same_rows(fitted: Synthesizer, tmp_path: Path) -> None:
    expected = fitted.sample(6, seed=5).table
    folder = fitted.save(tmp_path / "saved")
    assert Synthesizer.load(folder).sample(6, seed=5).table.equals(expected)
    assert fitted.sample(6, seed=5).table.equals(expected)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"adapter/adapter_model.safetensors", "schema.json"} <= names
    assert "spans.safetensors" not in names
    assert not any(name.startswith("base/") for name in names)


def test_no_text_of_the_table_is_in_the_files(
    fitted: Synthesizer, tmp_path: Path, table: pd.DataFrame
) -> None:
    folder = fitted.save(tmp_path / "saved")
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert not [note for note in table["note"] if any(note.encode() in data for data in files)]


def test_an_adapter_is_not_put_on_another_base_model(fitted: Synthesizer, tmp_path: Path) -> None:
    folder = fitted.save(tmp_path / "saved")
    config = json.loads((folder / "config.json").read_text())
    config["llmsynth"]["text"]["base"]["sha256"] = "0" * 64
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BundleError, match="was fitted on another"):
        Synthesizer.load(folder)


def test_the_record_says_what_free_text_means_for_privacy(fitted: Synthesizer) -> None:
    assert "Free text is learned as it is" in str(fitted.provenance_["privacy"])
    assert fitted.provenance_["holds_of_the_data"]["note"] == {
        "maximum_length": fitted.schema_.column("note").maximum_length
    }


def test_a_copy_of_the_base_model_travels_when_asked(tiny_model: Path, tmp_path: Path) -> None:
    text = TextSettings(with_base=True, tuning=TuningSettings(rank=2, max_epochs=1))
    synthesizer = Synthesizer(model=str(tiny_model), text=text, max_epochs=1).fit(
        patients(30)[["age", "sex"]]
    )
    folder = synthesizer.save(tmp_path / "saved")
    config = json.loads((folder / "config.json").read_text())
    config["llmsynth"]["text"]["base"]["name"] = "owner/not-there"
    (folder / "config.json").write_text(json.dumps(config))
    assert len(Synthesizer.load(folder).sample(3)) == 3


def test_a_table_of_text_alone_is_written_by_the_pretrained_model(tiny_model: Path) -> None:
    synthesizer = small(tiny_model).fit(patients(80)[["note"]])
    assert synthesizer.schema_.column("note").kind == "text"
    sample = synthesizer.sample(4)
    assert sample.table.num_rows == 4
    assert sample.table.column_names == ["note"]


def test_a_time_limit_of_nothing_gives_an_empty_table(fitted: Synthesizer) -> None:
    sample = fitted.sample(4, max_seconds=1e-6)
    assert len(sample) == 0
    assert sample.report.stopped == "time"
    assert list(sample.to_pandas().columns) == ["id", "age", "sex", "job", "note"]


def test_the_compact_model_spells_text_and_refuses_none(table: pd.DataFrame) -> None:
    fitted = Synthesizer(max_epochs=0.5, hidden_size=32, num_layers=1).fit(table)
    notes = fitted.sample(20).table["note"]
    assert notes.null_count < 20
    assert "note" in fitted.provenance_["texts"]  # type: ignore[operator]


def test_a_model_that_is_not_there_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMSYNTH_MODELS", str(tmp_path))
    with pytest.raises(ModelError, match="llmsynth models pull smollm2-135m"):
        Synthesizer(model="smollm2-135m").fit(patients(30))
    with pytest.raises(SettingsError, match=r"smollm2-135m.*'larger'"):
        Synthesizer(model="larger")


@pytest.mark.parametrize(
    "change", [{"path": "both"}, {"copy_guard": 0}, {"processes": 0}], ids=lambda c: next(iter(c))
)
def test_settings_out_of_range_are_named(change: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=next(iter(change)).replace("path", "text_path")):
        TextSettings(**change)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore::llmsynth.errors.TooLittleLearnedWarning")
@pytest.mark.parametrize("typed", [["job"], ["job", "sex"]])
def test_a_target_is_taught_beside_text(tiny_model: Path, typed: list[str]) -> None:
    table = patients(210)[[*typed, "note"]]
    synthesizer = small(tiny_model, target="job", max_minutes=0.05).fit(table)
    assert set(synthesizer.sample(5).to_pandas()["job"]) <= {"baker", "clerk", "pilot"}
