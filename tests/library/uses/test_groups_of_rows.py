"""Groups: how they may be asked for, which rows they hold, how many rows bring them to a share."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.errors import ConditionError, SettingsError
from llmsynth.schema import infer_schema
from llmsynth.uses.additions import additions
from llmsynth.uses.asked_groups import column_told, groups_of
from llmsynth.uses.emphasis import emphasised
from llmsynth.uses.groups import Group, Range

TABLE = pa.table(
    {
        "fraud": ["yes"] * 4 + ["no"] * 36,
        "amount": [float(n) + 0.5 for n in range(40)],
        "country": (["DE", "FR"] * 20),
    }
)
SCHEMA = infer_schema(TABLE, target="fraud")


def labels(target):
    return [(group.label, group.share) for group in groups_of(target, TABLE, SCHEMA)]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({"fraud": 0.2}, [("fraud=yes", 0.2)]),
        ({"fraud": {"yes": 0.3}}, [("fraud=yes", 0.3)]),
        ({"amount": {(30, None): 0.5}}, [("amount=30..", 0.5)]),
        (
            {("fraud", "amount"): {("no", (10, 20)): 0.4}},
            [("fraud=no, amount=10..20", 0.4)],
        ),
        (
            [{"where": {"fraud": "yes", "amount": {"maximum": 2}}, "share": 0.1}],
            [("fraud=yes, amount=..2", 0.1)],
        ),
    ],
)
def test_shares_may_be_asked_for_in_several_forms(target, expected) -> None:
    assert labels(target) == expected
    again = [group.to_json() for group in groups_of(target, TABLE, SCHEMA)]
    assert labels(again) == expected


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"amount": 0.2}, "40 values"),
        ({"fraud": {"yes": 0.7, "no": 0.6}}, "more than 1"),
        ({"fraud": "yes"}, "Expected a share"),
        ({}, "none was given"),
        ({("fraud", "amount"): {"yes": 0.1}}, "2 columns"),
        (
            [{"where": {"fraud": "yes"}, "share": 0.1}, {"where": {"country": "DE"}, "share": 0.1}],
            "overlap",
        ),
        ([{"share": 0.1}], "`where` and `share`"),
        ({"amount": {(1, 2, 3): 0.1}}, "pair"),
    ],
)
def test_shares_that_cannot_be_are_refused(target, words) -> None:
    with pytest.raises(SettingsError, match=words):
        groups_of(target, TABLE, SCHEMA)


def test_cells_that_the_schema_cannot_hold_are_refused() -> None:
    with pytest.raises(ConditionError, match="cannot hold"):
        groups_of({"amount": {"much": 0.1}}, TABLE, SCHEMA)
    with pytest.raises(ConditionError, match="order"):
        groups_of({"fraud": {("a", "b"): 0.1}}, TABLE, SCHEMA)


def test_ranges_and_values_hold_together() -> None:
    group = Group(where={"fraud": "yes", "amount": Range(minimum=1.5, maximum=2.5)}, share=0.1)
    assert group.holds(TABLE, SCHEMA).to_pylist() == [False, True, True] + [False] * 37


def test_a_tenth_becomes_a_fifth_by_five_rows() -> None:
    groups = groups_of({"fraud": 0.2}, TABLE, SCHEMA)
    (step,) = additions(groups, TABLE, SCHEMA)
    assert (step.before, step.rows) == (4, 5)  # 9 of 45


def test_all_classes_together_may_take_the_whole() -> None:
    steps = additions(groups_of({"fraud": {"yes": 0.5, "no": 0.5}}, TABLE, SCHEMA), TABLE, SCHEMA)
    assert [step.rows for step in steps] == [32, 0]


def test_a_group_that_has_its_share_stays_as_it_is() -> None:
    asked = {"country": {"DE": 0.2}, "fraud": {"yes": 0.2}}
    with pytest.raises(SettingsError, match="overlap"):
        groups_of(asked, TABLE, SCHEMA)
    with pytest.raises(SettingsError, match="nothing to add"):
        additions(groups_of({"country": {"DE": 0.2}}, TABLE, SCHEMA), TABLE, SCHEMA)


@given(st.floats(0.11, 0.9), st.integers(1, 30))
def test_the_share_is_met_within_a_row(share: float, rare: int) -> None:
    table = pa.table({"c": ["r"] * rare + ["o"] * 300})
    schema = infer_schema(table, target="c")
    (step,) = additions(groups_of({"c": {"r": share}}, table, schema), table, schema)
    total = table.num_rows + step.rows
    assert abs((rare + step.rows) - share * total) <= 1


def test_the_column_that_tells_the_groups_is_the_target() -> None:
    assert column_told({"fraud": 0.2}) == "fraud"
    assert column_told({"fraud": {"yes": 0.1, "maybe": 0.1}}) == "fraud"
    assert column_told({"amount": {(1, 2): 0.1}}) is None
    assert column_told({("a", "b"): {("x", "y"): 0.1}}) is None
    assert column_told([{"where": {"fraud": "yes"}, "share": 0.2}]) == "fraud"


def test_a_small_group_is_shown_up_to_ten_times_and_every_other_row_once() -> None:
    table = pa.table({"c": ["r"] * 5 + ["o"] * 495})
    schema = infer_schema(table, target="c")
    plan = additions(groups_of({"c": {"r": 0.2}}, table, schema), table, schema)
    rows = emphasised(table, schema, plan)
    times = np.bincount(rows)
    assert times[:5].tolist() == [10] * 5
    assert set(times[5:].tolist()) == {1}
    large = additions(groups_of({"fraud": 0.2}, TABLE, SCHEMA), TABLE, SCHEMA)
    assert emphasised(TABLE, SCHEMA, large).tolist() == list(range(40))
