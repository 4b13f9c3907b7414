from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from llmsynth_serving.jobs.quotas import quota_rows


def test_rows_hold_each_value_as_often_as_asked() -> None:
    rows = quota_rows({"sex": {"f": 0.75, "m": 0.25}}, first=0, count=8, seed=1)
    assert rows is not None
    assert Counter(rows["sex"].to_pylist()) == {"f": 6, "m": 2}


def test_without_quotas_nothing_is_given() -> None:
    assert quota_rows({}, first=0, count=8, seed=1) is None


def test_the_seed_and_the_part_decide_the_order() -> None:
    quotas = {"sex": {"f": 0.5, "m": 0.5}}
    first = quota_rows(quotas, first=0, count=64, seed=1)
    assert first == quota_rows(quotas, first=0, count=64, seed=1)
    assert first != quota_rows(quotas, first=64, count=64, seed=1)
    assert first != quota_rows(quotas, first=0, count=64, seed=2)


def test_two_columns_are_combined_in_every_way() -> None:
    halves = {"x": 0.5, "y": 0.5}
    rows = quota_rows({"a": halves, "b": halves}, first=0, count=400, seed=0)
    assert rows is not None
    pairs = Counter(zip(rows["a"].to_pylist(), rows["b"].to_pylist(), strict=True))
    assert all(70 < count < 130 for count in pairs.values())
    assert len(pairs) == 4


@given(weights=st.lists(st.integers(1, 50), min_size=1, max_size=9), count=st.integers(1, 300))
def test_every_count_lies_within_a_row_of_its_share(weights: list[int], count: int) -> None:
    shares = {str(i): weight / sum(weights) for i, weight in enumerate(weights)}
    rows = quota_rows({"c": shares}, first=0, count=count, seed=0)
    assert rows is not None
    found = Counter(rows["c"].to_pylist())
    assert sum(found.values()) == count
    assert all(abs(found[name] - share * count) <= 1 for name, share in shares.items())
