"""What pages are made of: rules as lines, forms as orders, snippets, drawings, numbers in words."""

from __future__ import annotations

from datetime import timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmsynth_serving.api.orders import FitOrder, SampleOrder
from llmsynth_serving.database.records import now
from llmsynth_serving.objects.refusals import RefusedInputError
from llmsynth_serving.pages import drawings, forms, rendering
from llmsynth_serving.pages.rules import read_rules, written

NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(
    lambda name: name.strip() == name
)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("a <= b", {"kind": "inequality", "low": "a", "high": "b", "strict": False}),
        ("a > b", {"kind": "inequality", "low": "b", "high": "a", "strict": True}),
        ("net + tax = total", {"kind": "sum", "parts": ["net", "tax"], "total": "total"}),
        ("city, zip fixed", {"kind": "fixed_combinations", "columns": ["city", "zip"]}),
        (
            "end missing when state = open",
            {"kind": "missing_exactly_when", "column": "end", "when": "state", "equals": "open"},
        ),
        ('"a < b" < c', {"kind": "inequality", "low": "a < b", "high": "c", "strict": True}),
    ],
)
def test_a_line_is_a_rule(line: str, rule: dict[str, object]) -> None:
    assert read_rules([line]) == [rule]


@pytest.mark.parametrize("line", ["a", "a <= b <= c", "= b", "a <", "a b"])
def test_what_is_no_rule_is_refused_with_the_forms_there_are(line: str) -> None:
    with pytest.raises(RefusedInputError, match="no rule") as caught:
        read_rules([line])
    assert "net + tax = total" in str(caught.value.hint)


@given(low=NAMES, high=NAMES, strict=st.booleans())
def test_a_rule_of_any_names_survives_being_written(low: str, high: str, strict: bool) -> None:
    rule = {"kind": "inequality", "low": low, "high": high, "strict": strict}
    assert read_rules([written(rule)]) == [rule]


@given(parts=st.lists(NAMES, min_size=1, max_size=3), total=NAMES)
def test_so_do_sums_and_combinations(parts: list[str], total: str) -> None:
    rules = [
        {"kind": "sum", "parts": parts, "total": total},
        {"kind": "fixed_combinations", "columns": parts},
        {"kind": "missing_exactly_when", "column": total, "when": parts[0], "equals": parts[-1]},
    ]
    assert read_rules([written(rule) for rule in rules]) == rules


def test_a_form_is_an_order_with_the_limits_of_the_api() -> None:
    filled = {"name": " mine ", "max_minutes": "2.5", "keep_rare": "true", "target": ""}
    wanted = forms.order(FitOrder, filled, table_id="t1")
    assert (wanted.name, wanted.max_minutes, wanted.keep_rare) == ("mine", 2.5, True)
    assert wanted.target is None
    assert forms.shortest(wanted) == {
        "table_id": "t1",
        "name": "mine",
        "max_minutes": 2.5,
        "keep_rare": True,
    }
    with pytest.raises(RefusedInputError, match="Max minutes"):
        forms.order(FitOrder, {"max_minutes": "-1"}, table_id="t1")
    with pytest.raises(RefusedInputError, match="Model"):
        forms.order(FitOrder, {"model": "../../secrets"}, table_id="t1")


def test_sliders_are_shares_whatever_they_add_up_to() -> None:
    filled = {"quota_column": "sex", "quota:f": "60", "quota:m": "20", "quota:x": "0"}
    assert forms.quotas(filled) == {"sex": {"f": 0.75, "m": 0.25}}
    assert forms.quotas({"quota:f": "60"}) == {}
    with pytest.raises(RefusedInputError, match="at least one"):
        forms.quotas({"quota_column": "sex", "quota:f": "0"})
    order = forms.order(SampleOrder, {"rows": "5"}, synthesizer_id="s", quotas=forms.quotas(filled))
    assert order.quotas["sex"]["f"] == 0.75


def test_conditions_are_the_fields_that_hold_something() -> None:
    filled = {"where:sex": "f", "where:age": " ", "where:a:b": "1", "other": "x"}
    assert forms.conditions(filled) == {"sex": "f", "a:b": "1"}


@pytest.mark.parametrize(
    "svg",
    [
        drawings.histogram([0, 3, 1], 'a "<b>'),
        drawings.loss_curve([(0, 9.0), (0.5, 4.0), (1, 3.5)]),
        drawings.loss_curve([(0, 1.0), (1, 1.0)]),
        drawings.interval(0.2, (0.1, 0.3), 0.05, 0.0, 0.4),
        drawings.bars([("<script>", 3), ("", 1)], 4),
    ],
)
def test_a_drawing_is_well_formed_whatever_it_shows(svg: str) -> None:
    assert ElementTree.fromstring(svg) is not None
    assert "<script>" not in svg
    assert "nan" not in svg


def test_bars_are_as_high_as_the_counts_say() -> None:
    root = ElementTree.fromstring(drawings.histogram([1, 4, 0, 2], "x"))
    heights = [float(bar.get("height", "0")) for bar in root]
    assert heights == [drawings.HEIGHT / 4, drawings.HEIGHT, drawings.HEIGHT / 2]


def test_numbers_are_told_as_people_read_them() -> None:
    assert rendering.in_bytes(999) == "999 bytes"
    assert rendering.in_bytes(2_340_000) == "2.3 MB"
    assert rendering.in_share(0.0004) == "<0.1%"
    assert rendering.in_share(0.123) == "12.3%"
    assert rendering.in_seconds(0.25) == "250 ms"
    assert rendering.in_seconds(7200) == "2.0 h"
    assert rendering.in_number(None) == "\u2013"
    assert rendering.ago(now() - timedelta(minutes=5)) == "5 min ago"
