"""What an order may say beside what is to be done: how urgent it is, and what it needs."""

from __future__ import annotations

from typing import Any

import pytest
from llmsynth_serving.database.records import Job

CSV = b"x,y\n1,a\n2,b\n3,a\n"


@pytest.fixture
def table(office: Any) -> dict[str, Any]:
    return office.upload(CSV).json()


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        ("fit", {}),
        ("evaluate", {"train_id": "{other}", "holdout_id": "{table}"}),
        ("rebalance", {"groups": [{"where": {"x": "1"}, "share": 0.5}]}),
        ("impute", {}),
        ("few-shot", {"rows": 3, "schema_table_id": "{table}"}),
    ],
)
def test_every_kind_of_job_has_a_priority(
    office: Any, table: Any, kind: str, order: dict[str, Any]
) -> None:
    headers = office.headers(scope="write")
    other = office.client.post("/v1/tables", params={"name": "o"}, content=CSV, headers=headers)
    ids = {"{table}": table["id"], "{other}": other.json()["id"]}
    told = {name: ids.get(str(value), value) for name, value in order.items()}
    if kind != "few-shot":
        told["table_id"] = table["id"]
    orders = ({"priority": 7}, {}, {"priority": 1_001})
    answers = [
        office.client.post(f"/v1/jobs/{kind}", json=told | more, headers=headers) for more in orders
    ]
    assert [answer.status_code for answer in answers] == [202, 202, 400], answers[0].text
    with office.service.database.reading() as session:
        jobs = [session.get(Job, answer.json()["id"]) for answer in answers[:2]]
    assert [job.priority for job in jobs if job is not None] == [7, 100]


def test_a_job_asks_for_gpu_memory_and_says_so(office: Any, table: Any) -> None:
    headers = office.headers(scope="write")
    order = {"table_id": table["id"], "gpu_memory_gb": 40}
    answer = office.client.post("/v1/jobs/fit", json=order, headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.json()["spec"]["gpu_memory_gb"] == 40
    assert "gpu_memory_gb" not in answer.json()["spec"]["settings"]
    with office.service.database.reading() as session:
        assert session.get(Job, answer.json()["id"]).resources == "gpu"
    refused = order | {"gpu_memory_gb": 0}
    assert office.client.post("/v1/jobs/fit", json=refused, headers=headers).status_code == 400
