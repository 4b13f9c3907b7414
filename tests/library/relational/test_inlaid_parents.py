"""Parents that belong to one row each: drawn in it, whole, agreeing with the first parent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from llmsynth import MetadataSet, RelatedSynthesizer, infer_schema
from llmsynth.relational.related_sample import RelatedSample
from llmsynth.schema.constraints import Inequality
from llmsynth.schema.metadata_set import ForeignKey, SetTable
from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables import read_table

LINKS = (
    ForeignKey(table="holder", column="account", parent="account"),
    ForeignKey(table="holder", column="person", parent="person"),
    ForeignKey(table="card", column="holder", parent="holder"),
)


def bank(accounts: int = 120, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Accounts of old owners and young users, all of the account's town; cards of the old."""
    rng = np.random.default_rng(seed)
    account, person, holder, card = [], [], [], []
    for number in range(accounts):
        town = str(rng.choice(["Ulm", "Bonn", "Kiel"]))
        account.append((number, town))
        for role in ["owner", "user"][: int(rng.integers(1, 3))]:
            age = int(rng.integers(60, 90) if role == "owner" else rng.integers(18, 40))
            person.append((f"P{len(person):03d}", town, age - 10, age))
            holder.append((f"H{len(holder):03d}", number, person[-1][0], role))
            if role == "owner" and rng.random() < 0.7:
                card.append((holder[-1][0], "gold" if age > 75 else "classic"))
    people = pd.DataFrame(person, columns=["code", "town", "since", "age"])
    return {
        "account": pd.DataFrame(account, columns=["id", "town"]),
        "person": people.sample(frac=1, random_state=1),
        "holder": pd.DataFrame(holder, columns=["hid", "account", "person", "role"]),
        "card": pd.DataFrame(card, columns=["holder", "type"]),
    }


def described(real: dict[str, pd.DataFrame]) -> MetadataSet:
    columns = infer_schema(read_table(real["person"][["town", "since", "age"]])).columns
    rule = TableSchema(columns=columns, constraints=(Inequality(low="since", high="age"),))
    return MetadataSet(
        tables={
            "account": SetTable(primary_key="id"),
            "person": SetTable(primary_key="code", schema=rule),
            "holder": SetTable(primary_key="hid"),
            "card": SetTable(),
        },
        foreign_keys=LINKS,
    )


@pytest.fixture(scope="module")
def real() -> dict[str, pd.DataFrame]:
    return bank()


@pytest.fixture(scope="module")
def fitted(real: dict[str, pd.DataFrame]) -> RelatedSynthesizer:
    small = {"max_epochs": 40, "hidden_size": 32, "num_layers": 1}
    return RelatedSynthesizer(described(real), **small).fit(real)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sample(fitted: RelatedSynthesizer) -> RelatedSample:
    return fitted.sample(2.0, seed=2)


def joined(sample: RelatedSample) -> pd.DataFrame:
    tables = sample.to_pandas()
    people = tables["person"].rename(columns={"town": "lives"})
    both = tables["holder"].merge(people, left_on="person", right_on="code")
    return both.merge(tables["account"], left_on="account", right_on="id")


def test_every_row_has_a_parent_of_its_own(
    real: dict[str, pd.DataFrame], sample: RelatedSample
) -> None:
    tables = sample.to_pandas()
    assert sorted(tables["holder"]["person"]) == sorted(tables["person"]["code"])
    assert tables["person"]["code"].is_unique
    assert list(tables["person"].columns) == list(real["person"].columns)
    assert sample.report.matched == {}
    assert not sample.report.is_partial


def test_the_parent_goes_with_the_row_and_with_the_first_parent(sample: RelatedSample) -> None:
    both = joined(sample)
    ages = both.groupby("role")["age"].mean()
    assert ages["owner"] > ages["user"] + 20
    assert (both["lives"] == both["town"]).mean() > 0.95
    assert (both["since"] <= both["age"]).all()


def test_rows_below_know_the_parent(sample: RelatedSample) -> None:
    cards = sample.to_pandas()["card"].merge(joined(sample), left_on="holder", right_on="hid")
    assert (cards["role"] == "owner").mean() > 0.8
    ages = cards.groupby("type")["age"].mean()
    assert ages["gold"] > ages["classic"] + 4


def test_a_saved_synthesizer_writes_the_same_tables(
    fitted: RelatedSynthesizer, sample: RelatedSample, tmp_path: Path
) -> None:
    again = RelatedSynthesizer.load(fitted.save(tmp_path / "bundle")).sample(2.0, seed=2)
    assert all(again.tables[name].equals(table) for name, table in sample.tables.items())
    assert again.schemas["person"] == sample.schemas["person"]


def test_a_time_limit_leaves_no_row_without_its_parent(fitted: RelatedSynthesizer) -> None:
    for seconds in (1e-6, 0.2):
        tables = fitted.sample(4.0, seed=1, max_seconds=seconds).to_pandas()
        assert sorted(tables["holder"]["person"]) == sorted(tables["person"]["code"])
        assert set(tables["card"]["holder"]) <= set(tables["holder"]["hid"])


def test_a_parent_that_some_rows_lack_is_found_for_them(real: dict[str, pd.DataFrame]) -> None:
    extra = pd.DataFrame([("P999", "Ulm", 30, 40)], columns=["code", "town", "since", "age"])
    tables = real | {"person": pd.concat([real["person"], extra])}
    fitted = RelatedSynthesizer(described(real), max_epochs=1).fit(tables)
    assert fitted.models_["person"].within is None
    assert "holder.person -> person" in fitted.sample(seed=1).report.matched
