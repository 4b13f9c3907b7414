"""How the verdict of a report is coloured."""

from __future__ import annotations

from typing import Any

import pytest
from llmsynth_serving.database.records import Report


@pytest.mark.parametrize(
    ("summary", "marked"),
    [
        ({"alarms": []}, "notice good"),
        ({"alarms": ["copies"]}, "notice warn"),
        ({"kind": "rebalance", "outcome": "gain"}, "notice good"),
        ({"kind": "rebalance", "outcome": "harm"}, "notice warn"),
        ({"kind": "rebalance", "outcome": None}, "notice "),
    ],
)
def test_only_a_gain_is_shown_as_one(
    browser: Any, table: str, summary: dict[str, Any], marked: str
) -> None:
    browser.sign_in()
    report = Report(
        project_id="p1",
        name="r",
        path="reports/r/1",
        table_id=table,
        summary={"verdict": "In words.", **summary},
    )
    with browser.office.service.database.session() as session:
        session.add(report)
    assert f'<div class="{marked}"><p>In words.' in browser.get(f"/reports/{report.id}").text
