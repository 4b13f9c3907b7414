import json

import numpy as np
import pyarrow as pa
import pytest
import torch

from llmsynth import Synthesizer
from llmsynth.errors import PrivacyError, SchemaError, SettingsError
from llmsynth.privacy import accounting
from llmsynth.privacy.accounting import Mechanism, claimed_epsilon
from llmsynth.privacy.ledger import KEY
from llmsynth.privacy.unit_sampler import PoissonSampler
from llmsynth.schema.columns import CategoryColumn, NumberColumn
from llmsynth.schema.constraints import FixedCombinations
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers import private_learning, private_statistics

LOW, HIGH = 103.173, 98_765.413


@pytest.fixture(autouse=True, scope="module")
def few_steps():
    """Small sizes: what is tested here does not depend on how well the model learns."""
    sizes = private_learning.PrivateSizes(
        hidden_size=16, num_layers=1, steps=4, expected_units=200.0
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(private_learning, "private_sizes", lambda num_units: sizes)
        patched.setattr(private_learning, "_FORMAT_EPOCHS", 0.2)
        patched.setattr(private_statistics, "_MOST_DRAWN", 500)
        patched.setattr(private_statistics, "_FEWEST_DRAWN", 500)
        yield


@pytest.fixture(scope="module")
def table() -> pa.Table:
    """3,000 rows with 50 planted secrets, one a row, and extremes of one row each."""
    rng = np.random.default_rng(0)
    n = 3000
    city = np.array(rng.choice(["Rome", "Oslo", "Lima"], n), dtype=object)
    city[:50] = [f"zq-secret-{i:03d}-xw" for i in range(50)]
    pay = np.round(rng.uniform(2000, 60_000, n), 3)
    pay[60], pay[61] = LOW, HIGH
    day = np.array("2015-03-07", dtype="M8[D]") + rng.integers(0, 1500, n)
    day[62], day[63] = np.datetime64("2011-02-13"), np.datetime64("2023-10-29")
    return pa.table(
        {
            "city": pa.array(city.tolist()),
            "pay": pa.array(pay),
            "day": pa.array(day),
            "rich": pa.array(np.where(pay > 30_000, "yes", "no").tolist()),
        }
    )


def fitted(table, folder=None, **changes):
    given = {"epsilon": 4.0, "target": "rich", "insecure_seed": 1, **changes}
    return Synthesizer(**given).fit(table, checkpoint_dir=folder)


@pytest.fixture(scope="module")
def bundle(table, tmp_path_factory):
    """A seeded fit of `table`, and the folder it was saved to."""
    folder = tmp_path_factory.mktemp("bundle")
    synthesizer = fitted(table, folder)
    synthesizer.save(folder)
    return synthesizer, folder


def head(synthesizer):
    return synthesizer.learner_.model.head


def test_no_file_of_the_bundle_holds_a_secret_an_extreme_or_a_hash(bundle):
    synthesizer, folder = bundle
    secrets = [f"zq-secret-{i:03d}-xw" for i in range(50)]
    extremes = [str(LOW), str(HIGH), "2011-02-13", "2023-10-29", "103173", "98765413"]
    files = [path for path in folder.iterdir() if path.is_file()]
    assert {"model.safetensors", "provenance.json", "schema.json"} <= {path.name for path in files}
    for path in files:
        content = path.read_bytes()
        for text in (*secrets, *extremes, "sha256"):
            assert text.encode() not in content, (path.name, text)
    rows = synthesizer.sample(500, seed=1).table
    assert not set(rows.column("city").to_pylist()) & set(secrets)
    assert rows.column_names == ["city", "pay", "day", "rich"]


def test_the_ledger_in_the_bundle_adds_up(bundle):
    _, folder = bundle
    ledger = json.loads((folder / "provenance.json").read_text())[KEY]
    parts = [
        Mechanism(
            noise_multiplier=part["noise_multiplier"],
            sampling_rate=part["sampling_rate"],
            count=part["repetitions"],
        )
        for part in ledger["parts"]
    ]
    delta = ledger["spent"]["delta"] - ledger["delta_of_thresholding"]
    assert claimed_epsilon(parts, delta) == pytest.approx(ledger["spent"]["epsilon"], abs=1e-3)
    assert 3.9 < ledger["spent"]["epsilon"] <= 4.0
    assert ledger["spent"]["delta"] == 1e-5
    assert parts[-1].count == ledger["steps_planned"] == 4
    assert ledger["insecure_seed"] is True
    assert "evaluation reports" in " ".join(ledger["not_covered"])
    assert Synthesizer.load(folder).provenance_[KEY] == ledger


def test_noise_is_repeatable_only_where_a_seed_is_named(bundle, table):
    seeded, _ = bundle
    assert torch.equal(head(seeded), head(fitted(table)))
    secure = fitted(table, insecure_seed=None)
    assert secure.provenance_[KEY]["insecure_seed"] is False
    assert not torch.equal(head(seeded), head(secure))


def test_accountants_that_disagree_stop_the_fit_before_it_trains(table, monkeypatch):
    monkeypatch.setattr(accounting, "_prv_epsilon", lambda mechanisms, delta: 9.0)
    with pytest.raises(PrivacyError, match="disagree"):
        fitted(table)


class PowerCutError(Exception):
    """What the tests cut a fit off with."""


def cut_off(table, folder, monkeypatch, *, at_step=None, **changes):
    """A fit that dies while it releases, or in the middle of a step."""

    def dies(*arguments, **named):
        raise PowerCutError

    def steps(self, step):
        return dies() if step == at_step else whole(self, step)

    whole = private_learning.PrivateTrainer._one_step
    with monkeypatch.context() as broken:
        if at_step is None:
            broken.setattr(private_learning, "gather", dies)
        else:
            broken.setattr(private_learning.PrivateTrainer, "_one_step", steps)
        with pytest.raises(PowerCutError):
            fitted(table, folder, **changes)


def test_fits_and_crashes_in_the_same_folder_are_told_by_the_next_ledger(
    table, tmp_path, monkeypatch
):
    cut_off(table, tmp_path, monkeypatch)
    (attempt,) = fitted(table, tmp_path).provenance_[KEY]["earlier_attempts_in_this_folder"]
    assert attempt["epsilon"] == 4.0
    assert attempt["finished"] is False


@pytest.mark.parametrize("cuts", [(0,), (2,), (1, 2)])
def test_a_fit_that_was_cut_off_goes_on_and_spends_once(table, tmp_path, monkeypatch, cuts):
    for at_step in cuts:
        cut_off(table, tmp_path, monkeypatch, at_step=at_step)
    sampled = []
    with monkeypatch.context() as watched:
        watched.setattr(private_learning, "gather", None)
        sample = PoissonSampler.sample
        watched.setattr(PoissonSampler, "sample", lambda s: sampled.append(1) or sample(s))
        synthesizer = fitted(table, tmp_path)
    # Four steps are accounted; the one in which a run was cut off may have seen data, and counts.
    assert len(sampled) == 4 - 1 - cuts[-1]
    ledger = synthesizer.provenance_[KEY]
    assert ledger["earlier_attempts_in_this_folder"] == []
    assert ledger["parts"][-1]["repetitions"] == 4
    assert ledger["spent"]["epsilon"] <= 4.0
    assert [p.name for p in tmp_path.iterdir()] == ["privacy_journal.json"]
    (again,) = fitted(table, tmp_path).provenance_[KEY]["earlier_attempts_in_this_folder"]
    assert (again["finished"], again["taken_up"]) == (True, len(cuts))


def test_other_settings_do_not_go_on_from_a_checkpoint(table, tmp_path, monkeypatch):
    cut_off(table, tmp_path, monkeypatch, at_step=2)
    ledger = fitted(table, tmp_path, epsilon=2.0).provenance_[KEY]
    (attempt,) = ledger["earlier_attempts_in_this_folder"]
    assert (attempt["epsilon"], attempt["finished"]) == (4.0, False)


def test_a_checkpoint_holds_no_secret_and_a_broken_one_stops_the_fit(table, tmp_path, monkeypatch):
    cut_off(table, tmp_path, monkeypatch, at_step=2)
    files = [path for path in tmp_path.iterdir() if path.suffix == ".safetensors"]
    assert len(files) == 2
    for path in files:
        assert b"secret" not in path.read_bytes()
    files[0].write_bytes(b"not a checkpoint")
    with pytest.raises(PrivacyError, match="cannot be read"):
        fitted(table, tmp_path)


def test_an_entity_is_one_unit_and_its_column_is_not_learned(table):
    people = pa.array([f"p{i // 3}" for i in range(table.num_rows)])
    synthesizer = fitted(table.append_column("person", people), entity="person", rows_per_entity=2)
    ledger = synthesizer.provenance_[KEY]
    assert ledger["unit"]["is"] == "entity"
    assert ledger["unit"]["rows_per_unit"] == 2
    assert "person" not in synthesizer.schema_.names


def test_declared_values_are_kept_and_cells_outside_them_are_never_refused(table):
    schema = TableSchema(
        columns=(
            CategoryColumn(name="city", categories=("Oslo", "Paris")),
            NumberColumn(name="pay", storage="double", scale=0, minimum="0", maximum="50000"),
            CategoryColumn(name="rich", categories=("no", "yes")),
        )
    )
    synthesizer = fitted(table.select(["city", "pay", "rich"]), schema=schema)
    assert synthesizer.schema_.column("city") == schema.column("city")
    pay = synthesizer.sample(200, seed=1).table.column("pay").to_numpy()
    assert pay.min() >= 0
    assert pay.max() <= 50_000


def test_combinations_that_only_the_table_holds_are_refused(table):
    schema = TableSchema(
        columns=(CategoryColumn(name="city"), CategoryColumn(name="rich")),
        constraints=(FixedCombinations(columns=("city", "rich")),),
    )
    with pytest.raises(SchemaError, match="would be read from the table"):
        fitted(table.select(["city", "rich"]), schema=schema)


@pytest.mark.parametrize("wrong", [{"max_epochs": 3.0}, {"max_minutes": 1.0}])
def test_budgets_that_depend_on_the_run_are_refused(table, wrong):
    with pytest.raises(SettingsError, match="fixed beforehand"):
        fitted(table, **wrong)


@pytest.mark.parametrize(
    "wrong", [{"epsilon": None, "delta": 1e-6}, {"epsilon": None, "entity": "city"}]
)
def test_privacy_settings_without_epsilon_are_refused(wrong):
    with pytest.raises(SettingsError, match="epsilon"):
        Synthesizer(**wrong)
