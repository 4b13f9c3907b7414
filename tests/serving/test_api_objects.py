"""What the API promises of every object: versions, ranges, repeated requests, limits, keys."""

from __future__ import annotations

import json
from typing import Any

import pytest
from llmsynth_serving.api.rate_limits import Allowance
from llmsynth_serving.database.records import ApiKey, IdempotentAnswer, Job, now

CSV = b"name,age\nAnn,31\nBob,\nEve,45\n"


@pytest.fixture
def table(office: Any) -> dict[str, Any]:
    return office.upload(CSV).json()


def test_a_schema_is_corrected_only_in_the_version_that_was_read(office: Any, table: Any) -> None:
    path, headers = f"/v1/tables/{table['id']}/schema", office.headers(scope="write")
    read = office.client.get(path, headers=headers)
    assert read.headers["etag"] == '"1"'
    again = office.client.get(path, headers=headers | {"If-None-Match": '"1"'})
    assert (again.status_code, again.text) == (304, "")
    fresh = headers | {"If-Match": read.headers["etag"]}
    put = office.client.put(path, json=read.json(), headers=fresh)
    assert (put.status_code, put.headers["etag"]) == (200, '"2"'), put.text
    for stale in ('"1"', "nonsense"):
        late = office.client.put(path, json=read.json(), headers=headers | {"If-Match": stale})
        assert late.status_code == 412
    wrong = office.client.put(path, json={"columns": []}, headers=headers)
    assert wrong.status_code in (400, 422)


def test_a_table_downloads_whole_and_in_parts(office: Any, table: Any) -> None:
    path, headers = f"/v1/tables/{table['id']}/download", office.headers(scope="read")
    whole = office.client.get(path, headers=headers)
    assert whole.text.splitlines() == CSV.decode().splitlines()
    assert whole.headers["content-disposition"].endswith("people.csv")
    assert whole.headers["content-type"] == "text/csv; charset=utf-8"
    size, tag = len(whole.content), whole.headers["etag"]
    cases = {
        "bytes=0-3": whole.content[:4],
        "bytes=5-": whole.content[5:],
        "bytes=-6": whole.content[-6:],
        f"bytes=2-{size + 100}": whole.content[2:],
    }
    for wanted, expected in cases.items():
        part = office.client.get(path, headers=headers | {"Range": wanted})
        assert (part.status_code, part.content) == (206, expected), wanted
        assert part.headers["content-range"].endswith(f"/{size}")
    for odd in ("bytes=a-b", "bytes=-", "bytes=5-2", "bytes=0-1,3-4", "lines=1-2"):
        assert office.client.get(path, headers=headers | {"Range": odd}).status_code == 200, odd
    beyond = office.client.get(path, headers=headers | {"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    other = headers | {"Range": "bytes=0-3", "If-Range": '"other"'}
    assert office.client.get(path, headers=other).status_code == 200
    assert office.client.get(path, headers=headers | {"If-None-Match": tag}).status_code == 304
    parquet = office.client.get(path, params={"format": "parquet"}, headers=headers)
    assert parquet.content[:4] == b"PAR1" == parquet.content[-4:]


def test_a_preview_has_plain_values(office: Any, table: Any) -> None:
    path = f"/v1/tables/{table['id']}/preview"
    shown = office.client.get(path, params={"rows": 2}, headers=office.headers()).json()
    assert shown == {
        "columns": ["name", "age"],
        "rows": [["Ann", 31], ["Bob", None]],
        "num_rows": 3,
    }
    assert office.client.get(path, params={"rows": 0}, headers=office.headers()).status_code == 400


def test_a_repeated_post_acts_once(office: Any) -> None:
    headers = office.headers(scope="write") | {"Idempotency-Key": "one"}
    params = {"name": "once"}
    first, second = (
        office.client.post("/v1/tables", params=params, content=CSV, headers=headers)
        for _ in range(2)
    )
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert second.headers["idempotent-replay"] == "true"
    listed = office.client.get("/v1/tables", headers=headers).json()["items"]
    assert [item["name"] for item in listed].count("once") == 1
    other = office.client.post("/v1/tables", params=params, content=CSV + b"x,1\n", headers=headers)
    assert other.status_code == 409
    elsewhere = office.headers("p2", "write") | {"Idempotency-Key": "one"}
    fresh = office.client.post("/v1/tables", params=params, content=CSV, headers=elsewhere)
    assert fresh.json()["id"] != first.json()["id"]


def test_a_job_whose_answer_was_lost_is_found_again(office: Any, table: Any) -> None:
    headers = office.headers(scope="write") | {"Idempotency-Key": "lost"}
    order = {"table_id": table["id"]}
    first = office.client.post("/v1/jobs/fit", json=order, headers=headers)
    assert first.status_code == 202, first.text
    with office.service.database.session() as session:
        place = session.query(IdempotentAnswer).filter_by(project_id="p1", key="lost").one()
        assert place.id == first.json()["id"]
        place.status, place.request_hash, place.body = 0, "", ""
    again = office.client.post("/v1/jobs/fit", json=order, headers=headers)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])


def test_a_new_keys_text_is_kept_nowhere(office: Any) -> None:
    headers = office.headers() | {"Idempotency-Key": "secret"}
    order = {"name": "once", "scope": "read"}
    made = office.client.post("/v1/keys", json=order, headers=headers)
    assert made.status_code == 201
    again = office.client.post("/v1/keys", json=order, headers=headers)
    assert again.status_code == 409
    assert "shown once" in again.json()["detail"]
    with office.service.database.reading() as session:
        kept = session.query(IdempotentAnswer).filter_by(key="secret").one()
    assert made.json()["key"] not in kept.body


def test_a_post_that_is_being_answered_asks_for_patience(office: Any) -> None:
    with office.service.database.session() as session:
        values = {"request_hash": "", "status": 0, "headers": {}, "body": ""}
        session.add(IdempotentAnswer(project_id="p1", key="busy", **values))
    headers = office.headers(scope="write") | {"Idempotency-Key": "busy"}
    answer = office.client.post("/v1/tables", params={"name": "x"}, content=CSV, headers=headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (409, "1")


def test_a_refused_post_is_not_kept(office: Any) -> None:
    headers = office.headers(scope="write") | {"Idempotency-Key": "two"}
    for data, status in ((b"", 400), (CSV, 201)):
        params = {"name": "later"}
        answer = office.client.post("/v1/tables", params=params, content=data, headers=headers)
        assert answer.status_code == status
    bad = office.headers(scope="write") | {"Idempotency-Key": "x" * 201}
    assert office.client.post("/v1/tables", params=params, headers=bad).status_code == 400


def test_pages_of_a_list_hold_every_object_once(office: Any) -> None:
    for _ in range(3):
        office.add_job(spec={})
    seen, cursor = [], None
    for _ in range(100):
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = office.client.get("/v1/jobs", params=query, headers=office.headers()).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    with office.service.database.reading() as session:
        every = session.query(Job).filter(Job.project_id == "p1").count()
    assert len(seen) == len(set(seen)) == every
    odd = {"cursor": "nonsense"}
    assert office.client.get("/v1/jobs", params=odd, headers=office.headers()).status_code == 400


def test_a_key_lives_from_its_making_to_its_end(office: Any) -> None:
    admin = office.headers()
    order = {"name": "robot", "scope": "read", "max_rows": 5}
    made = office.client.post("/v1/keys", json=order, headers=admin).json()
    robot = {"Authorization": f"Bearer {made['key']}"}
    assert office.client.get("/v1/tables", headers=robot).status_code == 200
    path = f"/v1/keys/{made['details']['id']}"
    rotated = office.client.post(f"{path}/rotate", headers=admin).json()
    assert rotated["details"]["max_rows"] == 5
    assert office.client.get("/v1/tables", headers=robot).status_code == 401
    robot = {"Authorization": f"Bearer {rotated['key']}"}
    assert office.client.get("/v1/tables", headers=robot).status_code == 200
    last = f"/v1/keys/{rotated['details']['id']}/revoke"
    assert office.client.post(last, headers=admin).status_code == 200
    assert office.client.post(last, headers=admin).status_code == 409
    assert office.client.get("/v1/tables", headers=robot).status_code == 401
    listed = office.client.get("/v1/keys", headers=admin)
    assert made["key"].split("_")[2] not in listed.text
    entries = office.client.get("/v1/audit", params={"limit": 3}, headers=admin).json()["items"]
    actions = [entry["action"] for entry in entries]
    assert actions == ["revoke key", "rotate key", "create key"]


def test_jobs_beyond_the_keys_quota_are_refused(office: Any, table: Any) -> None:
    headers = office.headers(scope="write")
    key_id = office.keys["p1", "write"].split("_")[1]
    with office.service.database.session() as session:
        session.get(ApiKey, key_id).max_running_jobs = 0
    office.service.callers.forget()  # or wait for two seconds
    order = {"table_id": table["id"]}
    answer = office.client.post("/v1/jobs/fit", json=order, headers=headers)
    assert answer.status_code == 429
    assert "this key allows 0" in answer.json()["detail"]
    with office.service.database.session() as session:
        session.get(ApiKey, key_id).max_running_jobs = None
    office.service.callers.forget()


def test_a_report_is_read_and_deleted(office: Any) -> None:
    path, headers = f"/v1/reports/{office.add_report().id}", office.headers(scope="write")
    page = office.client.get(f"{path}/html", headers=headers)
    assert page.text == "<html></html>"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert office.client.get(f"{path}/json", headers=headers).json() == {}
    assert office.client.delete(path, headers=headers).status_code == 204
    assert office.client.get(path, headers=headers).status_code == 404
    assert not office.service.storage.exists("reports/r/1")


def test_a_synthesizer_is_deleted_but_not_while_it_is_fitted(office: Any) -> None:
    headers = office.headers(scope="write")
    for state, status in (("fitting", 409), ("ready", 204)):
        made = office.add_synthesizer(state=state)
        path = f"/v1/synthesizers/{made.id}"
        assert office.client.get(path, headers=headers).json()["state"] == state
        assert office.client.delete(path, headers=headers).status_code == status


@pytest.mark.parametrize("path", ["/health", "/v1/tables", "/nowhere", "/schema/openapi.json"])
def test_every_answer_carries_the_headers_of_a_careful_service(office: Any, path: str) -> None:
    answer = office.client.get(path, headers={"X-Request-Id": "abc-1"})
    for name in ("x-content-type-options", "content-security-policy", "referrer-policy"):
        assert name in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers
    if answer.status_code != 404:
        assert answer.headers["x-request-id"] == "abc-1"
    if answer.status_code >= 400:
        assert answer.headers["content-type"].startswith("application/problem+json")


def test_a_finished_job_has_one_last_event(office: Any) -> None:
    job = office.add_job(spec={}, state="failed", finished_at=now(), error={"detail": "why"})
    answer = office.client.get(f"/v1/jobs/{job.id}/events", headers=office.headers())
    assert answer.headers["content-type"].startswith("text/event-stream")
    (line,) = [line for line in answer.text.splitlines() if line.startswith("data: ")]
    assert json.loads(line.removeprefix("data: "))["error"] == {"detail": "why"}


def test_metrics_count_jobs_by_state(office: Any) -> None:
    office.add_job(spec={}, state="dead")
    text = office.client.get("/metrics").text
    assert any(line.startswith('llmsynth_shards{state="dead"} ') for line in text.splitlines())
    assert "llmsynth_oldest_waiting_seconds" in text
    assert 'llmsynth_workers{queue="cpu"} 0.0' in text


def test_an_allowance_fills_steadily() -> None:
    allowance = Allowance(60)
    assert [allowance.take("a", 0.0) for _ in range(60)] == [0.0] * 60
    assert allowance.take("a", 0.0) == pytest.approx(1.0)
    assert allowance.take("b", 0.0) == 0.0
    assert allowance.take("a", 0.5) == pytest.approx(0.5)
    assert allowance.take("a", 1.0) == 0.0


@pytest.mark.parametrize(
    "order",
    [
        {"rows": 0},
        {"rows": 2_000_000_000},
        {"rows": 1, "temperature": -1},
        {"rows": 1, "name": ""},
        {"rows": 1, "synthesizer_id": "../x"},
        {"rows": "many"},
        {},
    ],
)
def test_an_order_of_the_wrong_shape_is_refused_by_name(office: Any, order: Any) -> None:
    whole = {"synthesizer_id": "s", **order}
    answer = office.client.post("/v1/jobs/sample", json=whole, headers=office.headers())
    assert answer.status_code == 400
    assert answer.json()["errors"], json.dumps(answer.json())
