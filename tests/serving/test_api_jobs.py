"""The API in one process with a real worker beside it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

import pytest
from litestar.testing import TestClient
from llmsynth_serving.accounts.keys import create_key
from llmsynth_serving.app import create_app

from llmsynth.demo_tables import load


@pytest.fixture
def client(workplace) -> Iterator[TestClient]:
    with workplace.database.session() as session:
        _, key = create_key(session, project_id="p1", name="k", scope="write")
    app = create_app(workplace.settings)
    with TestClient(app) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        yield client


def adult_csv(rows: int) -> bytes:
    table = load("adult").slice(0, rows)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(table.column_names)
    writer.writerows(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return out.getvalue().encode()


def test_upload_fit_watch_and_sample_over_http(workplace, client: TestClient) -> None:
    workplace.start_worker()
    table = client.post("/v1/tables", params={"name": "adult"}, content=adult_csv(300))
    assert table.status_code == 201, table.text
    assert table.json()["num_rows"] == 300
    order = {"table_id": table.json()["id"], "max_epochs": 1}
    fit = client.post("/v1/jobs/fit", json=order)
    assert fit.status_code == 202, fit.text
    events = [
        json.loads(line.removeprefix("data: "))
        for line in client.get(f"/v1/jobs/{fit.json()['id']}/events").text.splitlines()
        if line.startswith("data: ")
    ]
    assert events[-1]["state"] == "succeeded", events
    assert events[0]["state"] in ("queued", "running")
    synthesizer_id = events[-1]["result"]["synthesizer_id"]
    order = {"synthesizer_id": synthesizer_id, "rows": 50, "where": {"sex": "Female"}}
    sample = client.post("/v1/jobs/sample", json=order).json()
    client.get(f"/v1/jobs/{sample['id']}/events")
    ended = client.get(f"/v1/jobs/{sample['id']}").json()
    assert ended["state"] == "succeeded", ended
    made = client.get(f"/v1/tables/{ended['result']['table_id']}").json()
    assert (made["num_rows"], made["origin"]) == (50, "generated")


def test_without_a_key_nothing_is_told(client: TestClient) -> None:
    for path in ("/v1/tables", "/v1/jobs", "/v1/jobs/x"):
        answer = client.get(path, headers={"Authorization": "Bearer nothing"})
        assert answer.status_code == 401
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_what_is_no_table_is_refused_as_a_problem(client: TestClient) -> None:
    answer = client.post("/v1/tables", params={"name": "x"}, content=b"a,b\n1,2,3\n")
    assert answer.status_code == 400
    assert "line 2" in answer.json()["detail"]
