"""Related tables: keys hold exactly, counts and cells follow parents, bounds, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from llmsynth import MetadataSet, RelatedSynthesizer
from llmsynth.errors import SchemaError, TableError
from llmsynth.relational.related_sample import RelatedSample
from llmsynth.schema.metadata_set import ForeignKey, SetTable

SECRET = "zz-only-shop-3"
SET = MetadataSet(
    tables={
        "sale": SetTable(primary_key="sale_id"),
        "shop": SetTable(primary_key="shop_id"),
        "buyer": SetTable(primary_key="code"),
        "item": SetTable(),
    },
    foreign_keys=(
        ForeignKey(table="sale", column="shop", parent="shop"),
        ForeignKey(table="sale", column="buyer", parent="buyer"),
        ForeignKey(table="item", column="sale", parent="sale"),
    ),
)


def bank(shops: int = 60, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Shops of two sizes; large ones sell more, to buyers of their town, one sale a buyer."""
    rng = np.random.default_rng(seed)
    shop, sale, buyer, item = [], [], [], []
    for number in range(shops):
        size = rng.choice(["small", "large"])
        town = str(rng.choice(["Ulm", "Bonn"]))
        owner = SECRET if number == 3 else "chain"
        shop.append((1000 + 7 * number, size, town, owner))
        for _ in range(int(rng.integers(4, 7) if size == "large" else rng.integers(0, 3))):
            key = f"S{len(sale):04d}"
            code = f"B-{len(buyer):04d}"
            has_buyer = rng.random() < 0.9
            buyer.append((code, town, int(rng.integers(18, 90))))
            price = float(rng.normal(90 if size == "large" else 20, 3))
            sale.append((key, 1000 + 7 * number, code if has_buyer else None, round(price, 1)))
            for _ in range(int(rng.integers(0, 3))):
                item.append((key, rng.choice(["pen", "pad"]), int(rng.integers(1, 40))))
    return {
        "shop": pd.DataFrame(shop, columns=["shop_id", "size", "town", "owner"]),
        "buyer": pd.DataFrame(buyer, columns=["code", "town", "age"]),
        "sale": pd.DataFrame(sale, columns=["sale_id", "shop", "buyer", "price"]),
        "item": pd.DataFrame(item, columns=["sale", "what", "weight"]),
    }


@pytest.fixture(scope="module")
def real() -> dict[str, pd.DataFrame]:
    return bank()


@pytest.fixture(scope="module")
def fitted(real: dict[str, pd.DataFrame]) -> RelatedSynthesizer:
    small = {"max_epochs": 40, "hidden_size": 32, "num_layers": 1}
    return RelatedSynthesizer(SET, **small).fit(real)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sample(fitted: RelatedSynthesizer) -> RelatedSample:
    return fitted.sample(2.0, seed=5)


def test_every_key_is_new_unique_and_names_a_row_that_exists(
    real: dict[str, pd.DataFrame], sample: RelatedSample
) -> None:
    tables = sample.to_pandas()
    for name, key in (("shop", "shop_id"), ("buyer", "code"), ("sale", "sale_id")):
        assert tables[name][key].is_unique
    for link in SET.foreign_keys:
        named = tables[link.table][link.column].dropna()
        assert set(named) <= set(tables[link.parent][SET.tables[link.parent].primary_key])
    for name, table in tables.items():
        assert list(table.columns) == list(real[name].columns)
        assert table.dtypes.astype(str).tolist() == real[name].dtypes.astype(str).tolist()


def test_sizes_follow_the_scale_and_counts_follow_the_parents(
    real: dict[str, pd.DataFrame], sample: RelatedSample
) -> None:
    tables = sample.to_pandas()
    assert len(tables["shop"]) == 2 * len(real["shop"])
    assert sample.report.rows == {name: len(table) for name, table in tables.items()}
    sales = tables["shop"]["shop_id"].map(tables["sale"]["shop"].value_counts()).fillna(0)
    means = sales.groupby(tables["shop"]["size"]).mean()
    assert means["large"] > means["small"] + 1.5


def test_cells_follow_their_parents(sample: RelatedSample) -> None:
    tables = sample.to_pandas()
    both = tables["sale"].merge(tables["shop"], left_on="shop", right_on="shop_id")
    prices = both.groupby("size")["price"].mean()
    assert prices["large"] > prices["small"] + 25


def test_second_parents_fit_and_have_one_row_at_most(sample: RelatedSample) -> None:
    tables = sample.to_pandas()
    sales = tables["sale"].dropna(subset="buyer")
    assert 0 < tables["sale"]["buyer"].isna().mean() < 0.3
    assert sales["buyer"].is_unique
    both = sales.merge(tables["buyer"], left_on="buyer", right_on="code")
    both = both.merge(tables["shop"], left_on="shop", right_on="shop_id")
    assert (both["town_x"] == both["town_y"]).mean() > 0.75


def test_a_saved_synthesizer_writes_the_same_tables(
    fitted: RelatedSynthesizer, sample: RelatedSample, tmp_path: Path
) -> None:
    again = RelatedSynthesizer.load(fitted.save(tmp_path / "bundle")).sample(2.0, seed=5)
    assert all(again.tables[name].equals(table) for name, table in sample.tables.items())
    texts = [path.read_text() for path in tmp_path.rglob("*.json")]
    assert len(texts) > 12
    assert not any(SECRET in text for text in texts)


def test_a_time_limit_keeps_keys_sound(fitted: RelatedSynthesizer) -> None:
    late = fitted.sample(3.0, max_seconds=0.05, seed=1)
    assert late.report.is_partial
    tables = late.to_pandas()
    named = set(tables["sale"]["shop"]) <= set(tables["shop"]["shop_id"])
    assert named
    assert set(tables["item"]["sale"]) <= set(tables["sale"]["sale_id"])


def test_orphans_repeated_and_missing_keys_are_refused(real: dict[str, pd.DataFrame]) -> None:
    synthesizer = RelatedSynthesizer(SET)
    orphan = real["sale"].assign(shop=5)
    with pytest.raises(TableError, match=r"sale.shop -> shop: \d+ rows name a row that does not"):
        synthesizer.fit(real | {"sale": orphan})
    with pytest.raises(TableError, match="'shop_id' is missing or used twice"):
        synthesizer.fit(real | {"shop": pd.concat([real["shop"], real["shop"]])})
    with pytest.raises(TableError, match="names a table 'item', which was not given"):
        synthesizer.fit({name: table for name, table in real.items() if name != "item"})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not JSON"),
        ('{"tables": {}}', "at least one table"),
        ('{"tables": {"a": {"key": "x"}}}', "expected an object of primary_key"),
        (
            '{"tables": {"a": {}}, "foreign_keys": [{"table": "a", "column": "b", "parent": "c"}]}',
            "unknown table 'c'",
        ),
        (
            '{"tables": {"a": {"primary_key": "i"}}, '
            '"foreign_keys": [{"table": "a", "column": "b", "parent": "a"}]}',
            "or itself, as a parent",
        ),
    ],
)
def test_a_set_that_makes_no_sense_is_refused(text: str, told: str) -> None:
    with pytest.raises(SchemaError, match=told):
        MetadataSet.from_json(text)


def test_a_set_comes_back_from_its_json() -> None:
    assert MetadataSet.from_json(SET.to_json()) == SET
    assert SET.order() == ("shop", "buyer", "sale", "item")
