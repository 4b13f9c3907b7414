"""The work that people do on pages, in one process, without a worker and without a script."""

from __future__ import annotations

import json
import re
from threading import Timer
from typing import Any

import pytest
from llmsynth_serving.accounts import web_sessions
from llmsynth_serving.database.records import Job, Report, Table, now


def test_an_upload_is_profiled_column_by_column(browser: Any, table: str) -> None:
    browser.sign_in()
    page = browser.get(f"/tables/{table}").text
    assert page.count('class="shape"') == 5
    assert "33.3% missing" in page
    assert "Histogram of age" in page
    assert "Oslo" in page
    rows = browser.get(f"/tables/{table}/rows?first=295").text
    assert "296 to 300 of 300" in rows
    assert '<i class="soft">missing</i>' in rows


def test_what_is_no_table_is_refused_beside_the_form(browser: Any) -> None:
    browser.sign_in()
    answer = browser.upload(b"a,b\n1,2,3\n")
    assert answer.status_code == 400
    assert "line 2" in answer.text
    assert 'type="file"' in answer.text
    assert browser.send(f"/tables?form_token={browser.token}").status_code in (400, 422)


def test_a_schema_is_corrected_by_its_form(browser: Any, table: str) -> None:
    browser.sign_in()
    saved = browser.send(
        f"/tables/{table}/schema",
        **{
            "version": "1",
            "first": "0",
            "0.kind": "number",
            "0.shown": "number",
            "0.minimum": "10",
            "0.maximum": "120",
            "0.description": "in years",
            "2.kind": "text",
            "2.shown": "category",
            "2.nullable": "true",
            "rules": "joined <= left",
        },
    )
    assert saved.status_code == 200, saved.text
    assert "Saved" in saved.text
    (record,) = [one for one in browser.records(Table) if one.id == table]
    age, city = record.schema["columns"][0], record.schema["columns"][2]
    assert (age["minimum"], age["maximum"], age["description"]) == ("10", "120", "in years")
    assert city["kind"] == "text"
    assert record.schema["constraints"][0]["kind"] == "inequality"
    again = browser.send(f"/tables/{table}/schema", version="1", first="0", rules="")
    assert again.status_code == 412
    assert "version 2" in again.text
    wrong = browser.send(f"/tables/{table}/schema", version="2", first="0", rules="what is this")
    assert wrong.status_code == 400
    assert "no rule" in wrong.text


def test_another_kind_brings_what_the_cells_hold(browser: Any, table: str) -> None:
    browser.sign_in()
    part = browser.get(f"/tables/{table}/schema/column?number=0&0.kind=category")
    assert "50 categories" in part.text
    assert "<html" not in part.text
    wrong = browser.get(f"/tables/{table}/schema/column?number=1&1.kind=date")
    assert "cannot be read as date" in wrong.text
    assert browser.get(f"/tables/{table}/schema/column?number=99&99.kind=text").status_code == 400


def test_a_fit_is_ordered_once_however_often_the_form_is_sent(browser: Any, table: str) -> None:
    browser.sign_in()
    form = {"name": "mine", "target": "sex", "pace": "quick", "order_id": "a" * 32, "rules": ""}
    form["personal_data"] = "keep"
    first = browser.send(f"/tables/{table}/fit", **form)
    assert first.url.path == f"/jobs/{'a' * 32}"
    assert "waiting for a worker" in first.text
    assert "No worker is running" in first.text
    second = browser.send(f"/tables/{table}/fit", **form)
    assert second.url.path == first.url.path
    jobs = [job for job in browser.records(Job) if job.kind == "fit"]
    assert len([job for job in jobs if job.id == "a" * 32]) == 1
    settings = jobs[0].spec["settings"]
    assert (settings["max_epochs"], settings["personal_data"]) == (1.0, "keep")
    assert "/v1/jobs/fit" in second.text
    assert "service.fit(" in second.text
    wrong = browser.send(f"/tables/{table}/fit", name="x", max_minutes="-2")
    assert wrong.status_code == 400
    assert "Max minutes" in wrong.text
    assert 'value="x"' in wrong.text


def test_a_job_is_watched_cancelled_and_tried_again(browser: Any, table: str) -> None:
    browser.sign_in()
    page = browser.send(f"/tables/{table}/fit", name="ended")
    job = page.url.path.rsplit("/", 1)[-1]
    part = browser.get(f"/jobs/{job}/progress")
    assert 'hx-trigger="every 1s"' in part.text
    assert "<html" not in part.text
    cancelled = browser.send(f"/jobs/{job}/cancel")
    assert "cancelled" in cancelled.text
    assert f"/v1/jobs/{job}/cancel" in cancelled.text
    assert "service.cancel(" in cancelled.text
    assert "hx-trigger" not in browser.get(f"/jobs/{job}/progress").text
    assert browser.send(f"/jobs/{job}/cancel").status_code == 409
    again = browser.send(f"/jobs/{job}/retry")
    assert again.url.path != f"/jobs/{job}"
    listed = browser.get("/jobs", headers={"HX-Request": "true"}).text
    assert "<html" not in listed
    assert "every 2s" in listed
    assert "cancelled" in browser.get("/jobs?state=cancelled").text


def running_job(browser: Any) -> Job:
    progress = {"stage": "sample", "done": 50, "total": 200, "seconds_left": 61.0}
    spec = {"table_id": "t", "synthesizer_id": "s", "settings": {}}
    return browser.office.add_job(spec=spec, state="running", progress=progress)


def test_an_open_page_hears_of_its_job_until_it_ends(browser: Any) -> None:
    browser.sign_in()
    job = running_job(browser)
    assert f'data-events="/jobs/{job.id}/events"' in browser.get(f"/jobs/{job.id}").text

    def end() -> None:
        with browser.office.service.database.session() as session:
            ended = session.get(Job, job.id)
            ended.state, ended.finished_at, ended.version = "failed", now(), ended.version + 1
            ended.error = {"detail": "It <broke>."}

    Timer(1.0, end).start()
    answer = browser.get(f"/jobs/{job.id}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    first, last = answer.text.strip().split("\r\n\r\n")
    for event in (first, last):
        assert event.startswith('event: part\r\ndata: <div id="progress"')
    assert "25.0%" in first
    assert "50 of 200 rows" in first
    assert "about 61 s left" in first
    assert "It &lt;broke&gt;." in last
    assert "data-events" not in last, "the page would open a stream of a job that has ended"


def test_whoever_signs_out_hears_no_more(browser: Any) -> None:
    browser.sign_in()
    job = running_job(browser)
    token = browser.client.cookies["llmsynth_session"]

    def sign_out() -> None:
        with browser.office.service.database.session() as session:
            web_sessions.end(session, token)
            session.get(Job, job.id).version += 1

    Timer(1.0, sign_out).start()
    answer = browser.get(f"/jobs/{job.id}/events")
    assert answer.text.count("event: part") == 1
    assert "/sign-in" in str(browser.get(f"/jobs/{job.id}/events").url)


def test_a_loss_curve_is_drawn_while_it_grows(browser: Any) -> None:
    browser.sign_in()
    points = [(0.0, 9.0), (0.25, 6.0), (0.5, 5.0)]
    progress = {"stage": "train", "done": 0.5, "total": 1.0, "loss": 5.0, "seconds_left": 61.0}
    job = browser.office.add_job(
        spec={"table_id": "t", "synthesizer_id": "s", "settings": {}},
        state="running",
        progress=progress,
        curve={"points": points},
    )
    page = browser.get(f"/jobs/{job.id}").text
    assert "<polyline" in page
    assert "50.0%" in page
    assert "about 61 s left" in page


def test_a_sample_is_ordered_with_conditions_and_shares(browser: Any, table: str) -> None:
    browser.sign_in()
    one = browser.office.add_synthesizer(state="ready", path="synthesizers/x/1", table_id=table)
    form = browser.get(f"/synthesizers/{one.id}/sample?quota_column=sex")
    assert form.text.count('type="range"') == 2
    part = browser.get(f"/synthesizers/{one.id}/sample/quotas?quota_column=sex")
    assert part.text.count('type="range"') == 2
    fields = {"where:city": "Oslo", "quota_column": "sex", "quota:f": "30", "quota:m": "10"}
    page = browser.send(f"/synthesizers/{one.id}/sample", rows="40", name="drawn", **fields)
    assert page.url.path.startswith("/jobs/"), page.text
    job = next(job for job in browser.records(Job) if job.name == "drawn")
    assert job.spec["where"] == {"city": "Oslo"}
    assert job.spec["quotas"] == {"sex": {"f": 0.75, "m": 0.25}}
    many = browser.send(f"/synthesizers/{one.id}/sample", rows="0", name="none")
    assert many.status_code == 400
    assert "Rows" in many.text


def test_a_table_is_parted_and_deleted(browser: Any) -> None:
    browser.sign_in()
    whole = browser.upload(name="whole").url.path.rsplit("/", 1)[-1]
    parted = browser.send(f"/tables/{whole}/split", holdout_percent="25")
    assert f"/v1/tables/{whole}/split" in parted.text
    parts = {t.name: t for t in browser.records(Table) if t.name.startswith("whole ")}
    assert (parts["whole train"].num_rows, parts["whole holdout"].num_rows) == (225, 75)
    seen = [
        tuple(row)
        for part in parts.values()
        for row in browser.office.client.get(
            f"/v1/tables/{part.id}/preview?rows=300", headers=browser.office.headers()
        ).json()["rows"]
    ]
    assert len(seen) == 300
    deleted = browser.send(f"/tables/{whole}/delete")
    assert "none is left" in deleted.text
    assert browser.get(f"/tables/{whole}").status_code == 404


def test_the_uses_are_ordered_by_their_forms(browser: Any, table: str) -> None:
    browser.sign_in()
    classes = browser.get(f"/tables/{table}/rebalance/classes?column=sex").text
    assert classes.count("now 50.0%") == 2
    page = browser.send(
        f"/tables/{table}/rebalance",
        **{"column": "sex", "name": "more", "group:f": "70"},
        method="redraw",
        drop_text="true",
    )
    assert page.url.path.startswith("/jobs/"), page.text
    assert "service.rebalance(" in page.text
    page = browser.send(f"/tables/{table}/impute", columns=["city"], name="whole again")
    assert page.url.path.startswith("/jobs/"), page.text
    columns = {"0.name": "age", "0.kind": "number", "0.values": "0 to 9.5"}
    columns |= {"1.name": "sex", "1.kind": "category", "1.values": "f, m"}
    page = browser.send("/few-shot", rows="5", name="few", quotas="sex = f: 60%", **columns)
    assert page.url.path.startswith("/jobs/"), page.text
    specs = {job.kind: job.spec for job in browser.records(Job)}
    assert specs["rebalance"]["groups"] == [{"where": {"sex": "f"}, "share": 0.7}]
    assert specs["rebalance"]["method"] == "redraw"
    assert specs["impute"]["columns"] == ["city"]
    assert specs["few-shot"]["quotas"] == {"sex": {"f": 0.6}}
    assert specs["few-shot"]["schema"]["columns"][0]["scale"] == 1
    more = browser.send("/few-shot", more="1", **columns)
    assert more.text.count('.kind"') > 5
    wrong = browser.send("/few-shot", rows="5", **{"0.name": "c", "0.kind": "category"})
    assert "list its categories" in wrong.text


def judged(browser: Any, table: str, name: str, interval: tuple[float, float]) -> str:
    """A synthesizer with a report on a table that it wrote; returns its id."""
    office = browser.office
    one = office.add_synthesizer(state="ready", path="synthesizers/x/1", table_id=table)
    figure = {"name": "ks", "title": "KS", "meaning": "m", "goal": "lower", "floor": 0.01}
    figure |= {"value": sum(interval) / 2, "interval": interval}
    found = {"metric": "shape", "topic": "fidelity", "measurement": {"figures": [figure]}}
    evaluation = {"name": "synthetic", "num_rows": 5, "results": [found]}
    path = f"reports/{name}/1"
    with office.service.storage.writing(f"{path}/report.json") as file:
        file.write(json.dumps({"evaluations": [evaluation]}).encode())
    with office.service.database.session() as session:
        made = Table(
            project_id="p1",
            name=f"{name} rows",
            origin="generated",
            synthesizer_id=one.id,
            num_rows=5,
            num_columns=1,
            num_bytes=1,
            path="tables/none.parquet",
            schema={"columns": []},
        )
        session.add(made)
        session.flush()
        summary = {"verdict": f"{name} is judged."}
        session.add(
            Report(project_id="p1", name=name, path=path, table_id=made.id, summary=summary)
        )
    return str(one.id)


def test_two_synthesizers_stand_side_by_side(browser: Any, table: str) -> None:
    browser.sign_in()
    good = judged(browser, table, "good", (0.01, 0.03))
    poor = judged(browser, table, "poor", (0.10, 0.20))
    page = browser.get(f"/compare?a={good}&b={poor}").text
    assert "good is judged." in page
    assert "poor is judged." in page
    assert page.count('class="interval"') == 2
    (better,) = re.findall(r'class="value better"[^>]*><span>([\d.]+)', page)
    assert better == "0.02"
    same = judged(browser, table, "same", (0.02, 0.04))
    assert "value better" not in browser.get(f"/compare?a={good}&b={same}").text
    other = browser.office.add_synthesizer(state="ready", path="synthesizers/y/1", table_id=table)
    assert "There is no report on" in browser.get(f"/compare?a={good}&b={other.id}").text


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ({"words": "No gain over class weights."}, "No gain over class weights."),
        (
            {"groups": [{"label": "sex = f", "real": 20, "added": 1200, "short": 3}]},
            "1\u202f200",
        ),
        ({"filled": {"city": 12, "age": 0}}, "city 12"),
        ({"account": {"duplicates": 4, "model": "m"}}, "duplicates"),
        ({"is_partial": True}, "Fewer rows than asked for"),
    ],
)
def test_what_came_of_a_job_is_told_in_words(
    browser: Any, table: str, result: dict[str, Any], told: str
) -> None:
    browser.sign_in()
    job = Job(project_id="p1", name="j", kind="other", state="succeeded", spec={}, result=result)
    with browser.office.service.database.session() as session:
        session.add(job)
    assert told in browser.get(f"/jobs/{job.id}").text


def test_a_job_that_failed_says_why_and_what_to_do(browser: Any) -> None:
    browser.sign_in()
    error = {"type": "TableError", "detail": "There is <no> target.", "hint": "Name one."}
    job = browser.office.add_job(
        spec={"table_id": "t", "synthesizer_id": "s", "settings": {}}, state="failed", error=error
    )
    page = browser.get(f"/jobs/{job.id}").text
    assert "There is &lt;no&gt; target." in page
    assert "Name one." in page
    assert "Try again" in page
