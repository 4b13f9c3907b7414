"""Groups of rows: what is static, times, lengths, bounds, what is stored, what is refused."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from llmsynth import GroupedSynthesizer, TableSchema, infer_schema
from llmsynth.errors import (
    ConditionError,
    NotFittedError,
    PrivacyError,
    SchemaError,
    SettingsError,
    TableError,
)
from llmsynth.relational.group_sample import GroupSample
from llmsynth.schema.constraints import Sum
from llmsynth.tables import read_table

SECRET = "zz-only-patient-7"


def visits(patients: int = 150, seed: int = 0) -> pd.DataFrame:
    """Patients with one to six visits some weeks apart; pressure hangs on the sex."""
    rng = np.random.default_rng(seed)
    rows = []
    for patient in range(patients):
        sex = "f" if rng.random() < 0.5 else "m"
        day = dt.date(2020, 1, 1) + dt.timedelta(days=int(rng.integers(0, 300)))
        for _ in range(int(rng.integers(1, 7))):
            food, drink = rng.integers(1, 30, 2)
            ward = SECRET if patient == 7 else rng.choice(["north", "south"])
            pressure = round(float(rng.normal(150 if sex == "m" else 100, 4)), 1)
            name = f"V{len(rows) * 37 % 10_000:04d}"
            cells = (f"P{patient:04d}", day, sex, pressure, ward, food, drink, food + drink, name)
            rows.append(cells)
            day += dt.timedelta(days=int(rng.integers(5, 40)))
    columns = ["patient", "day", "sex", "pressure", "ward", "food", "drink", "cost", "visit"]
    return pd.DataFrame(rows, columns=columns).sample(frac=1, random_state=1)


def summed(table: pd.DataFrame) -> TableSchema:
    schema = infer_schema(read_table(table))
    cost = Sum(parts=("food", "drink"), total="cost")
    return TableSchema(columns=schema.columns, constraints=(cost,))


def quick(**settings: object) -> GroupedSynthesizer:
    small = {"group_by": "patient", "order_by": "day", "hidden_size": 32, "num_layers": 1}
    return GroupedSynthesizer(**(small | {"max_epochs": 30} | settings))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    return visits()


@pytest.fixture(scope="module")
def fitted(real: pd.DataFrame) -> GroupedSynthesizer:
    return quick(schema=summed(real)).fit(real)


@pytest.fixture(scope="module")
def sample(fitted: GroupedSynthesizer) -> GroupSample:
    return fitted.sample(120, seed=4)


def test_columns_keep_their_order_and_types(real: pd.DataFrame, sample: GroupSample) -> None:
    assert sample.table.column_names == list(real.columns)
    assert str(sample.table.schema.field("day").type) == "date32[day]"
    assert sample.schema.names == tuple(real.columns)


def test_each_group_has_a_new_name_and_one_sex(sample: GroupSample) -> None:
    rows = sample.to_pandas()
    assert rows["patient"].nunique() == sample.report.groups == 120
    assert rows.groupby("patient")["sex"].nunique().max() == 1
    assert rows["visit"].is_unique


def test_times_never_go_back_and_keep_within_the_real_ones(
    real: pd.DataFrame, sample: GroupSample
) -> None:
    rows = sample.to_pandas()
    days = pd.to_datetime(rows["day"])
    gaps = days.groupby(rows["patient"]).diff().dropna().dt.days
    assert gaps.min() >= 0
    assert (gaps >= 5).mean() > 0.9  # as in every real group
    assert pd.Timestamp(real["day"].min()) <= days.min()
    assert days.max() <= pd.Timestamp(real["day"].max())


def test_lengths_and_cells_are_like_the_real_ones(real: pd.DataFrame, sample: GroupSample) -> None:
    rows = sample.to_pandas()
    lengths = rows.groupby("patient").size()
    assert abs(lengths.mean() - real.groupby("patient").size().mean()) < 0.8
    means = rows.groupby("sex")["pressure"].mean()
    assert means["m"] - means["f"] > 15


def test_declared_constraints_hold_in_every_row(sample: GroupSample) -> None:
    rows = sample.to_pandas()
    assert (rows["food"] + rows["drink"] == rows["cost"]).all()


def test_what_one_entity_holds_in_many_rows_is_not_learned(
    fitted: GroupedSynthesizer, tmp_path: Path
) -> None:
    fitted.save(tmp_path)
    texts = [path.read_text() for path in tmp_path.rglob("*.json")]
    assert len(texts) >= 8
    assert not any(SECRET in text for text in texts)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {
        ".json",
        ".safetensors",
    }


def test_a_saved_synthesizer_writes_the_same_rows(
    fitted: GroupedSynthesizer, sample: GroupSample, tmp_path: Path
) -> None:
    again = GroupedSynthesizer.load(fitted.save(tmp_path / "bundle"))
    assert again.sample(120, seed=4).table.equals(sample.table)


def test_static_and_changing_columns_can_be_fixed(fitted: GroupedSynthesizer) -> None:
    rows = fitted.sample(20, where={"sex": "f", "ward": "north"}, seed=1).to_pandas()
    assert set(rows["sex"]) == {"f"}
    assert set(rows["ward"]) == {"north"}


def test_given_groups_are_written_in_order(fitted: GroupedSynthesizer) -> None:
    sexes = pd.DataFrame({"sex": ["f", "m", "m", "f"]})
    rows = fitted.sample(given=sexes, seed=1).to_pandas()
    assert rows.groupby("patient", sort=False)["sex"].first().tolist() == sexes["sex"].tolist()


def wanted() -> pd.DataFrame:
    """Rows of two patients, one of them with a ward that changes and one time for each row."""
    days = [dt.date(2020, 3, day) for day in (1, 1, 20, 5)]
    return pd.DataFrame(
        {
            "patient": ["P0900", "P0950", "P0900", "P0950"],
            "day": days[:1] + days[1:2] + days[2:],
            "sex": ["m", "f", "m", "f"],
            "ward": ["north", "south", "south", "south"],
        }
    )


def test_given_rows_keep_their_cells_names_and_times(fitted: GroupedSynthesizer) -> None:
    given = wanted()
    rows = fitted.sample(given=given, seed=1).to_pandas()
    expected = given.sort_values("patient", kind="stable").reset_index(drop=True)
    assert rows[["patient", "sex", "ward"]].equals(expected[["patient", "sex", "ward"]])
    assert pd.to_datetime(rows["day"]).dt.date.tolist() == expected["day"].tolist()
    assert (rows["food"] + rows["drink"] == rows["cost"]).all()
    assert rows["visit"].is_unique


def test_given_rows_need_no_times(fitted: GroupedSynthesizer) -> None:
    given = pd.concat([wanted()[["patient", "ward"]]] * 3)
    rows = fitted.sample(given=given, seed=1).to_pandas()
    assert rows.groupby("patient").size().tolist() == [6, 6]
    assert pd.to_datetime(rows["day"]).groupby(rows["patient"]).diff().dropna().dt.days.ge(0).all()
    assert rows.groupby("patient")["sex"].nunique().max() == 1


def test_constraints_hold_around_given_cells(fitted: GroupedSynthesizer) -> None:
    names = [f"P{n // 2:04d}" for n in range(40)]
    given = pd.DataFrame({"patient": names, "food": [3, 20] * 20})
    rows = fitted.sample(given=given, seed=1).to_pandas()
    assert rows["food"].tolist() == given["food"].tolist()
    assert (rows["food"] + rows["drink"] == rows["cost"]).all()


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"visit": ["V1", "V2", "V3", "V4"]}, "'visit' cannot be given .* names single rows"),
        ({"doctor": ["A"] * 4}, "'doctor' cannot be given .* there is none"),
        ({"patient": ["P1", None, "P1", "P1"]}, "1 of the given rows have no 'patient'"),
        ({"sex": ["m", "f", "f", "f"]}, "'sex' is the same in all rows of a group, and changes"),
        ({"day": ["2020-03-01", "2020-03-01", "2020-02-01", "2020-03-05"]}, "'day' goes back"),
        ({"day": ["2020-03-01", None, "2020-04-01", "2020-03-05"]}, "orders the rows, and 1 of"),
        ({"day": ["2019-03-01"] * 4}, "'day' lies outside of"),
        ({"ward": ["east"] * 4}, "east"),
    ],
)
def test_given_rows_that_cannot_be_are_refused(
    fitted: GroupedSynthesizer, cells: dict[str, list[object]], told: str
) -> None:
    with pytest.raises(ConditionError, match=told):
        fitted.sample(given=wanted().assign(**cells))


def test_privacy_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(PrivacyError, match="not learned under differential privacy") as refused:
        quick(epsilon=1.0)
    assert "entity=" in str(refused.value.hint)


def test_a_maximum_length_cuts_groups_and_counts_them(
    fitted: GroupedSynthesizer, sample: GroupSample
) -> None:
    cut = fitted.sample(120, seed=4, max_length=2)
    lengths = sample.to_pandas().groupby("patient", sort=False).size()
    assert cut.report.cut == int((lengths > 2).sum()) > 0
    assert cut.to_pandas().groupby("patient", sort=False).size().max() == 2
    assert not cut.report.is_partial


def test_a_time_limit_keeps_what_there_is_and_says_so(fitted: GroupedSynthesizer) -> None:
    late = fitted.sample(5000, seed=1, max_seconds=1e-6)
    assert late.report.stopped == "time"
    assert late.report.is_partial
    assert late.report.rows == len(late)


def test_rows_without_order_keep_the_order_in_which_they_come() -> None:
    table = visits(60).drop(columns=["day", "visit"])
    rows = quick(order_by=None, max_epochs=2).fit(table).sample(30).to_pandas()
    assert rows["patient"].nunique() == 30
    assert list(rows.columns) == list(table.columns)


def test_groups_need_no_static_column() -> None:
    table = visits(60)[["patient", "day", "food"]]
    sample = quick(max_epochs=2).fit(table).sample(25)
    assert sample.report.groups == 25
    assert sample.table.column_names == ["patient", "day", "food"]


def test_groups_may_be_of_names_and_times_alone() -> None:
    table = visits(60)[["patient", "day"]]
    rows = quick(max_epochs=2).fit(table).sample(25).to_pandas()
    assert list(rows.columns) == ["patient", "day"]
    assert rows["patient"].nunique() == 25


def test_before_a_fit_there_are_no_rows() -> None:
    with pytest.raises(NotFittedError):
        quick().sample(3)


def test_key_and_order_cannot_be_given(fitted: GroupedSynthesizer) -> None:
    with pytest.raises(ConditionError, match="'day' names or orders rows"):
        fitted.sample(3, where={"day": "2020-01-01"})


def test_a_column_named_static_that_changes_is_refused(real: pd.DataFrame) -> None:
    with pytest.raises(TableError, match="'ward' is named static, and changes"):
        quick(static=["ward"]).fit(real)


def test_few_groups_missing_keys_and_odd_names_are_refused(real: pd.DataFrame) -> None:
    with pytest.raises(TableError, match="12 groups; at least 20"):
        quick().fit(visits(12))
    with pytest.raises(TableError, match="'patient' names the group, and 3 rows have none"):
        quick().fit(real.assign(patient=[None, None, None, *real["patient"][3:]]))
    with pytest.raises(SchemaError, match="'#odd'"):
        quick().fit(real.assign(**{"#odd": 1}))
    with pytest.raises(SettingsError, match="order rows by another column"):
        quick(order_by="patient")
