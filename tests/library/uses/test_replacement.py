"""Partially synthetic tables: chosen columns anew, the others real, keys renamed consistently."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from llmsynth.errors import SettingsError, TableError
from llmsynth.synthesizers import Synthesizer
from llmsynth.tables import read_table, write_table
from llmsynth.uses.replacement import replace

ROWS = 300


def people() -> pa.Table:
    rng = np.random.default_rng(0)
    sex = rng.choice(["f", "m"], ROWS)
    height = np.where(sex == "f", rng.integers(150, 165, ROWS), rng.integers(175, 190, ROWS))
    keys = [f"P{100_000 + 7 * n}" for n in range(ROWS)]
    return pa.table({"patient_id": keys, "sex": sex.tolist(), "height": height})


@pytest.fixture(scope="module")
def found():
    return replace(
        people(), ["patient_id", "height"], synthesizer=Synthesizer(max_epochs=30), seed=2
    )


def test_chosen_columns_are_new_and_follow_the_real_ones(found) -> None:
    table = people()
    assert found.table["sex"].equals(table["sex"])
    assert found.unchanged["height"] < 0.5
    is_female = np.array(table["sex"].to_pylist()) == "f"
    heights = found.table["height"].to_numpy()
    assert heights[~is_female].mean() - heights[is_female].mean() > 15
    assert found.table["height"].null_count == 0


def test_the_fit_learns_the_new_columns_given_the_others_and_nobody_by_name() -> None:
    rng = np.random.default_rng(3)
    names = [hosts()["host_name"][n % 12].as_py() for n in range(ROWS)]
    table = people().append_column("name", pa.array(names))
    low = rng.integers(0, 100, ROWS)
    table = table.append_column("low", pa.array(low)).append_column("high", pa.array(low + 1000))
    asked = Synthesizer(max_epochs=40, target="sex")
    made = replace(table, ["high"], synthesizer=asked)
    assert made.synthesizer is not None
    assert made.synthesizer.context == ("sex", "height", "low")
    assert made.synthesizer.target is None
    assert (asked.context, asked.target) == ((), "sex")
    assert not set(names) & set(made.synthesizer.schema_.column("name").categories)
    assert np.corrcoef(low, made.table["high"].to_numpy())[0, 1] > 0.8


def test_keys_are_renamed_one_to_one_in_every_table(found) -> None:
    table = people()
    before, after = table["patient_id"].to_pylist(), found.table["patient_id"].to_pylist()
    assert not set(before) & set(after)
    assert len(set(after)) == ROWS
    assert all(len(key) == 7 and key[0].isalpha() for key in after)
    visits = pa.table({"patient_id": before[::3] * 2, "day": list(range(200))})
    second = replace(visits, ["patient_id"], pseudonyms=found.pseudonyms)
    new = dict(zip(before, after, strict=True))
    assert second.table["patient_id"].to_pylist() == [new[key] for key in before[::3] * 2]
    assert second.synthesizer is None


def test_what_cannot_be_replaced_is_refused() -> None:
    words = np.random.default_rng(1).choice(["pain", "fever", "cough", "rest", "walks"], (ROWS, 9))
    notes = [" ".join(row) for row in words]
    table = people().append_column("note", pa.array(notes))
    with pytest.raises(SettingsError, match="free text"):
        replace(table, ["note"])
    with pytest.raises(SettingsError, match="No column 'nothing'"):
        replace(table, ["nothing"])
    with pytest.raises(SettingsError, match="name one"):
        replace(table, [])
    with pytest.raises(SettingsError, match="not to be replaced"):
        replace(table, ["sex"], identifiers=["height"])


def test_the_commands_replace_and_pseudonymize(tmp_path, invoke_app) -> None:
    source, out = tmp_path / "t.csv", tmp_path / "o.csv"
    write_table(people(), source)
    options = ["--column", "sex", "--column", "patient_id", "--max-epochs", "1"]
    status, told, complaint = invoke_app(["replace", source, "--out", out, *options])
    assert status == 0, complaint
    assert "patient_id: 300 different values renamed (id)" in told
    assert read_table(out)["height"].equals(read_table(source)["height"])
    status, told, _ = invoke_app(["pseudonymize", source, "--out", out, "--seed", "1"])
    assert status == 0
    assert "patient_id (id: 300 different, 300 cells)" in told
    assert read_table(out)["sex"].equals(read_table(source)["sex"])


def hosts() -> pa.Table:
    """Names that repeat, so that they would be learned as categories."""
    names = ["Anna Smith", "Peter Jones", "Mary Brown", "John Miller", "Lisa Davis", "Paul Wilson"]
    names += ["Emma Taylor", "James Moore", "Laura White", "David Clark", "Julia Hall", "Mark King"]
    cells = [names[n % 12] for n in range(240)]
    return pa.table({"host_name": cells, "price": list(range(240)), "kind": ["a", "b"] * 120})


def test_a_fit_never_learns_names_and_says_what_it_replaced() -> None:
    fitted = Synthesizer(max_epochs=1, seed=4).fit(hosts())
    real = set(hosts()["host_name"].to_pylist())
    learned = set(fitted.schema_.column("host_name").categories)
    assert len(learned) == 12
    assert not learned & real
    assert fitted.provenance_["personal_data"] == {
        "choice": "replace",
        "replaced": {"host_name": {"kind": "name", "cells": 240, "values": 12}},
    }


def test_a_fit_keeps_or_refuses_names_on_request() -> None:
    kept = Synthesizer(max_epochs=1, personal_data="keep").fit(hosts())
    assert "Anna Smith" in kept.schema_.column("host_name").categories
    assert kept.provenance_["personal_data"] == {"choice": "keep"}
    with pytest.raises(TableError, match="'host_name' \\(name\\)"):
        Synthesizer(personal_data="refuse").fit(hosts())
    with pytest.raises(SettingsError, match="personal_data must be one of"):
        Synthesizer(personal_data="hide")
