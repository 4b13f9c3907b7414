"""A private fit whose texts a language model of random weights learns."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from safetensors.torch import load_file

from llmsynth import Synthesizer
from llmsynth.errors import SettingsError
from llmsynth.privacy.accounting import Mechanism, claimed_epsilon
from llmsynth.privacy.ledger import KEY
from llmsynth.schema.columns import CategoryColumn, NumberColumn, TextColumn
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers import private_learning, private_text
from llmsynth.synthesizers.private_sizes import PrivateSizes, TextSizes
from llmsynth.synthesizers.text_settings import TextSettings
from llmsynth.training.tuning_settings import TuningSettings

ROWS = 240
SECRETS = [f"zq{i:02d}xw" for i in range(20)]
SCHEMA = TableSchema(
    columns=(
        NumberColumn(name="age", storage="int64", minimum="0", maximum="99"),
        CategoryColumn(name="job", categories=("baker", "clerk")),
        TextColumn(name="note", maximum_length=30),
    )
)


@pytest.fixture(scope="module", autouse=True)
def few_steps():
    """Small sizes: what is tested here does not depend on how well the models learn."""
    sizes = PrivateSizes(hidden_size=16, num_layers=1, steps=2, expected_units=60.0)
    text = TextSizes(steps=3, expected_units=40.0, rows_at_once=16)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(private_learning, "private_sizes", lambda num_units: sizes)
        patched.setattr(private_learning, "_FORMAT_EPOCHS", 0.2)
        patched.setattr(private_text, "text_sizes", lambda num_units: text)
        yield


@pytest.fixture(scope="module")
def table() -> pa.Table:
    """Notes of which some hold a secret, some are longer than declared, and jobs not declared."""
    rng = np.random.default_rng(0)
    notes = [f"the bread was {w}" for w in rng.choice(["good", "stale"], ROWS)]
    notes[: len(SECRETS)] = [f"{secret} and {secret}" for secret in SECRETS]
    notes[50] = "an unusually long note " * 40
    jobs = rng.choice(["baker", "clerk"], ROWS).tolist()
    jobs[51] = "astronaut"
    return pa.table({"age": rng.integers(18, 80, ROWS), "job": jobs, "note": notes})


def fitted(table, model, **changes):
    text = changes.pop("text", TextSettings(tuning=TuningSettings(rank=2)))
    given = {"epsilon": 4.0, "insecure_seed": 1, "schema": SCHEMA, **changes}
    return Synthesizer(model=str(model), text=text, **given).fit(table)


@pytest.fixture(scope="module")
def bundle(table, tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    synthesizer = fitted(table, tiny_model)
    synthesizer.save(folder)
    return synthesizer, folder


def test_texts_are_drawn_behind_the_typed_columns(bundle):
    synthesizer, folder = bundle
    rows = Synthesizer.load(folder).sample(8, seed=1).table
    assert rows.column_names == ["age", "job", "note"]
    assert set(rows.column("job").to_pylist()) <= {"baker", "clerk"}
    assert all(len(note) <= 30 for note in rows.column("note").to_pylist())
    assert synthesizer.schema_.column("note") == SCHEMA.column("note")


def test_the_ledger_counts_both_trainings_and_adds_up(bundle):
    _, folder = bundle
    ledger = json.loads((folder / "provenance.json").read_text())[KEY]
    parts = {part["name"]: part for part in ledger["parts"]}
    assert parts["training on texts"]["repetitions"] == 3
    assert parts["training on texts"]["sampling_rate"] == pytest.approx(40 / ROWS, rel=0.3)
    mechanisms = [
        Mechanism(
            noise_multiplier=part["noise_multiplier"],
            sampling_rate=part["sampling_rate"],
            count=part["repetitions"],
        )
        for part in ledger["parts"]
    ]
    delta = ledger["spent"]["delta"] - ledger["delta_of_thresholding"]
    assert claimed_epsilon(mechanisms, delta) == pytest.approx(ledger["spent"]["epsilon"], abs=1e-3)
    assert ledger["spent"]["epsilon"] <= 4.0
    assert any("pretrained model" in said for said in ledger["public_by_declaration"])


def test_no_file_of_the_bundle_holds_a_secret_or_hashes_of_texts(bundle):
    synthesizer, folder = bundle
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"adapter_model.safetensors", "schema.json"} <= {path.name for path in files}
    assert "spans.safetensors" not in {path.name for path in files}
    for path in files:
        content = path.read_bytes()
        for text in (*SECRETS, "astronaut", "unusually long"):
            assert text.encode() not in content, (path.name, text)
    assert synthesizer.learner_.spans is None


def test_noise_reaches_every_matrix_of_the_adapter(bundle, table, tiny_model, tmp_path):
    _, folder = bundle
    fitted(table, tiny_model, insecure_seed=2).save(tmp_path)
    first, second = (
        load_file(place / "adapter" / "adapter_model.safetensors") for place in (folder, tmp_path)
    )
    assert first.keys() == second.keys()
    assert all(bool((first[name] != second[name]).any()) for name in first)


@pytest.mark.parametrize(
    "wrong",
    [
        {"schema": None},
        {"schema": SCHEMA.without(["note"])},
        {"text": TextSettings(path="pretrained")},
        {"text": replace(TextSettings(), processes=2)},
        {"max_epochs": 2.0},
    ],
)
def test_what_has_no_private_fit_is_refused(table, tiny_model, wrong):
    with pytest.raises(SettingsError):
        fitted(table, tiny_model, **wrong)
