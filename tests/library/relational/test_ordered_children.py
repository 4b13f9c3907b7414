"""Children in order of time: never back, lengths and times as learned, and what has no order."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from llmsynth import MetadataSet, RelatedSynthesizer
from llmsynth.errors import SchemaError, TableError
from llmsynth.relational.related_sample import RelatedSample
from llmsynth.schema.metadata_set import ForeignKey, SetTable

SET = MetadataSet(
    tables={
        "account": SetTable(primary_key="id"),
        "trans": SetTable(primary_key="trans_id", order_by="date"),
        "note": SetTable(order_by="year"),
    },
    foreign_keys=(
        ForeignKey(table="trans", column="account", parent="account"),
        ForeignKey(table="note", column="trans", parent="trans"),
    ),
)
SMALL = {"max_epochs": 25, "hidden_size": 32, "num_layers": 1}


def ledger(accounts: int = 80, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Accounts with up to six transactions: a balance that grows, each some days after the last."""
    rng = np.random.default_rng(seed)
    account, trans, note = [], [], []
    for number in range(accounts):
        pace = str(rng.choice(["slow", "fast"]))
        account.append((100 + number, pace))
        day, balance = dt.date(2020, 1, 1) + dt.timedelta(days=int(rng.integers(0, 200))), 0
        for _ in range(int(rng.integers(0, 7))):
            balance += int(rng.integers(1, 20))
            key = f"T{len(trans):04d}"
            trans.append((key, 100 + number, day, balance))
            first, last = (2, 6) if pace == "fast" else (30, 50)
            day += dt.timedelta(days=int(rng.integers(first, last)))
            if rng.random() < 0.5:
                note.append((key, 2020 + len(note) % 3))
    return {
        "account": pd.DataFrame(account, columns=["id", "pace"]),
        "trans": pd.DataFrame(trans, columns=["trans_id", "account", "date", "balance"]).sample(
            frac=1, random_state=0
        ),
        "note": pd.DataFrame(note, columns=["trans", "year"]),
    }


@pytest.fixture(scope="module")
def real() -> dict[str, pd.DataFrame]:
    return ledger()


@pytest.fixture(scope="module")
def fitted(real: dict[str, pd.DataFrame]) -> RelatedSynthesizer:
    return RelatedSynthesizer(SET, **SMALL).fit(real)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sample(fitted: RelatedSynthesizer) -> RelatedSample:
    return fitted.sample(2.0, seed=3)


def with_table(name: str, **told: str) -> MetadataSet:
    return replace(SET, tables=dict(SET.tables) | {name: SetTable(**told)})  # type: ignore[arg-type]


def gaps(tables: dict[str, pd.DataFrame]) -> pd.Series:
    days = pd.to_datetime(tables["trans"]["date"])
    return days.groupby(tables["trans"]["account"]).diff().dt.days


def test_times_never_go_back_under_a_parent(
    real: dict[str, pd.DataFrame], sample: RelatedSample
) -> None:
    tables = sample.to_pandas()
    assert gaps(tables).dropna().min() >= 0
    days = pd.to_datetime(tables["trans"]["date"])
    assert days.min() >= pd.Timestamp(real["trans"]["date"].min())
    assert days.max() <= pd.Timestamp(real["trans"]["date"].max())
    years = tables["note"].groupby("trans")["year"]
    assert years.diff().dropna().ge(0).all()
    assert set(tables["note"]["year"]) <= {2020, 2021, 2022}


def test_columns_keys_and_counts_are_those_of_the_real_tables(
    real: dict[str, pd.DataFrame], sample: RelatedSample
) -> None:
    tables = sample.to_pandas()
    for name, table in real.items():
        assert list(tables[name].columns) == list(table.columns)
    assert str(sample.tables["trans"].schema.field("date").type) == "date32[day]"
    assert set(tables["trans"]["account"]) <= set(tables["account"]["id"])
    sizes = [
        t["account"]["id"].map(t["trans"]["account"].value_counts()).fillna(0).value_counts()
        for t in (real, tables)
    ]
    assert (sizes[1] - 2 * sizes[0]).abs().max() <= 1


def test_gaps_follow_the_parent(sample: RelatedSample) -> None:
    tables = sample.to_pandas()
    pace = tables["trans"]["account"].map(tables["account"].set_index("id")["pace"])
    means = gaps(tables).groupby(pace).mean()
    assert means["slow"] > 2 * means["fast"]


def test_cells_follow_the_rows_before(sample: RelatedSample) -> None:
    trans = sample.to_pandas()["trans"]
    steps = trans.groupby("account")["balance"].diff().dropna()
    assert (steps > 0).mean() > 0.6  # a half if they did not


def test_a_saved_synthesizer_writes_the_same_tables(
    fitted: RelatedSynthesizer, sample: RelatedSample, tmp_path: Path
) -> None:
    again = RelatedSynthesizer.load(fitted.save(tmp_path / "bundle")).sample(2.0, seed=3)
    assert all(again.tables[name].equals(table) for name, table in sample.tables.items())


def test_a_time_limit_keeps_keys_and_order(fitted: RelatedSynthesizer) -> None:
    for seconds in (1e-6, 0.3):
        late = fitted.sample(9.0, seed=1, max_seconds=seconds)
        tables = late.to_pandas()
        assert late.report.is_partial
        assert set(tables["trans"]["account"]) <= set(tables["account"]["id"])
        assert gaps(tables).dropna().ge(0).all()


def test_a_set_keeps_its_orders_as_json() -> None:
    assert MetadataSet.from_json(SET.to_json()) == SET
    assert '"order_by": "date"' in SET.to_json()


def test_orders_that_cannot_be_are_refused(real: dict[str, pd.DataFrame]) -> None:
    with pytest.raises(SchemaError, match="'account' is ordered by 'pace', and has no parent"):
        with_table("account", primary_key="id", order_by="pace")
    with pytest.raises(SchemaError, match="ordered by 'account', which is a key"):
        with_table("trans", primary_key="trans_id", order_by="account")
    odd = RelatedSynthesizer(with_table("note", order_by="month"))
    with pytest.raises(TableError, match="'note' is ordered by 'month', which is none of its"):
        odd.fit(real)
    few = real["trans"][real["trans"]["account"].isin(real["trans"]["account"].unique()[:3])]
    noted = real["note"][real["note"]["trans"].isin(few["trans_id"])]
    with pytest.raises(TableError, match="only 3 parents have rows in it; at least 5"):
        RelatedSynthesizer(SET).fit(real | {"trans": few, "note": noted})
    gone = real["trans"].assign(date=[None, *real["trans"]["date"][1:]])
    with pytest.raises(TableError, match="'date' orders the rows, and 1 of its cells are missing"):
        RelatedSynthesizer(SET).fit(real | {"trans": gone})
