"""The pages in one process, without a worker and without a script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

import pytest
from litestar.testing import TestClient
from llmsynth_serving.database.records import AuditEntry, Job, Synthesizer, Table

PEOPLE = (
    "age,sex,city,joined,left\n"
    + "\n".join(
        f"{20 + i % 50},{'fm'[i % 2]},{('Oslo', 'Rome', '')[i % 3]},2024-01-{i % 28 + 1:02},"
        f"2024-02-{i % 28 + 1:02}"
        for i in range(300)
    )
).encode()


@dataclass
class Browser:
    """A client that is signed in, with the token that its forms carry."""

    client: TestClient
    office: Any
    token: str = ""

    def sign_in(self, project: str = "p1", scope: str = "admin") -> Any:
        self.client.cookies.clear()
        key = self.office.keys[project, scope]
        answer = self.client.post("/sign-in", data={"key": key, "next": "/tables"})
        self.token = re.search(r'name="form_token" value="(\w+)"', answer.text)[1]
        return answer

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(path, **options)

    def send(self, path: str, **fields: Any) -> Any:
        return self.client.post(path, data={"form_token": self.token, **fields})

    def upload(self, data: bytes = PEOPLE, **fields: str) -> Any:
        path = f"/tables?form_token={self.token}"
        return self.client.post(path, data=fields, files={"file": ("people.csv", data)})

    def records(self, kind: type) -> list[Any]:
        with self.office.service.database.reading() as session:
            return session.query(kind).order_by(kind.created_at.desc()).all()


@pytest.fixture(scope="module")
def browser(office: Any) -> Iterator[Browser]:
    yield Browser(office.client, office)
    office.client.cookies.clear()


@pytest.fixture(scope="module")
def table(browser: Browser) -> str:
    browser.sign_in()
    return str(browser.upload(name="people").url.path.rsplit("/", 1)[-1])


class Outline(HTMLParser):
    """Ids, labels, fields, images and inline code of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.labelled: set[str] = set()
        self.fields: list[dict[str, str | None]] = []
        self.inline: list[str] = []
        self.addresses: list[str] = []
        self._in_label = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if tag == "label":
            self._in_label += 1
            self.labelled.add(str(given.get("for")))
        if tag in ("input", "select", "textarea") and given.get("type") != "hidden":
            self.fields.append({**given, "wrapped": "yes" if self._in_label else None})
        if tag == "script" and not given.get("src"):
            self.inline.append("script")
        if tag == "style" or "style" in given or any(name.startswith("on") for name in given):
            self.inline.append(f"{tag} {given}")
        self.addresses += [str(given[n]) for n in ("src", "href", "action") if given.get(n)]

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self._in_label -= 1


def test_a_key_opens_a_session_and_a_wrong_one_does_not(browser: Browser) -> None:
    browser.client.cookies.clear()
    wrong = browser.client.post("/sign-in", data={"key": "lls_nothing"})
    assert wrong.status_code == 401
    assert "no valid key" in wrong.text
    answer = browser.client.post(
        "/sign-in",
        data={"key": browser.office.keys["p1", "read"], "next": "//elsewhere.example/"},
        follow_redirects=False,
    )
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert browser.office.keys["p1", "read"] not in cookie
    browser.sign_in()
    ended = browser.send("/sign-out")
    assert ended.url.path == "/sign-in"
    assert browser.get("/tables").url.path == "/sign-in"
    actions = [entry.action for entry in browser.records(AuditEntry)]
    assert {"sign in", "sign out"} <= set(actions)


def test_over_tls_the_cookie_is_for_tls_alone(browser: Browser) -> None:
    data = {"key": browser.office.keys["p1", "read"]}
    secure = browser.client.post(
        "https://testserver.local/sign-in", data=data, follow_redirects=False
    )
    assert "Secure" in secure.headers["set-cookie"]


def test_a_form_of_another_site_is_refused(browser: Browser, table: str) -> None:
    browser.sign_in()
    path = f"/tables/{table}/delete"
    assert browser.client.post(path).status_code == 403
    assert browser.client.post(path, data={"form_token": "0" * 64}).status_code == 403
    right = {"form_token": browser.token}
    strange = {"Sec-Fetch-Site": "cross-site"}
    assert browser.client.post(path, data=right, headers=strange).status_code == 403
    other = {"Origin": "https://elsewhere.example"}
    assert browser.client.post(path, data=right, headers=other).status_code == 403
    key = {"key": browser.office.keys["p1", "read"]}
    assert browser.client.post("/sign-in", data=key, headers=strange).status_code == 403
    upload = browser.client.post("/tables", data=right, files={"file": ("t.csv", b"a\n1\n")})
    assert upload.status_code == 403
    assert browser.get(f"/tables/{table}").status_code == 200


def test_an_upload_is_profiled_column_by_column(browser: Browser, table: str) -> None:
    browser.sign_in()
    page = browser.get(f"/tables/{table}").text
    assert page.count('class="shape"') == 5
    assert "33.3% missing" in page
    assert "Histogram of age" in page
    assert "Oslo" in page
    rows = browser.get(f"/tables/{table}/rows?first=295").text
    assert "296 to 300 of 300" in rows
    assert '<i class="soft">missing</i>' in rows


def test_what_is_no_table_is_refused_beside_the_form(browser: Browser) -> None:
    browser.sign_in()
    answer = browser.upload(b"a,b\n1,2,3\n")
    assert answer.status_code == 400
    assert "line 2" in answer.text
    assert 'type="file"' in answer.text
    assert browser.send(f"/tables?form_token={browser.token}").status_code in (400, 422)


def test_a_schema_is_corrected_by_its_form(browser: Browser, table: str) -> None:
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


def test_another_kind_brings_what_the_cells_hold(browser: Browser, table: str) -> None:
    browser.sign_in()
    part = browser.get(f"/tables/{table}/schema/column?number=0&0.kind=category")
    assert "50 categories" in part.text
    assert "<html" not in part.text
    wrong = browser.get(f"/tables/{table}/schema/column?number=1&1.kind=date")
    assert "cannot be read as date" in wrong.text
    assert browser.get(f"/tables/{table}/schema/column?number=99&99.kind=text").status_code == 400


def test_a_fit_is_ordered_once_however_often_the_form_is_sent(browser: Browser, table: str) -> None:
    browser.sign_in()
    form = {"name": "mine", "target": "sex", "pace": "quick", "order_id": "a" * 32, "rules": ""}
    first = browser.send(f"/tables/{table}/fit", **form)
    assert first.url.path == f"/jobs/{'a' * 32}"
    assert "waiting for a worker" in first.text
    assert "No worker is running" in first.text
    second = browser.send(f"/tables/{table}/fit", **form)
    assert second.url.path == first.url.path
    jobs = [job for job in browser.records(Job) if job.kind == "fit"]
    assert len([job for job in jobs if job.id == "a" * 32]) == 1
    assert jobs[0].spec["settings"]["max_epochs"] == 1.0
    assert "/v1/jobs/fit" in second.text
    assert "service.fit(" in second.text
    wrong = browser.send(f"/tables/{table}/fit", name="x", max_minutes="-2")
    assert wrong.status_code == 400
    assert "Max minutes" in wrong.text
    assert 'value="x"' in wrong.text


def test_a_job_is_watched_cancelled_and_tried_again(browser: Browser, table: str) -> None:
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


def test_a_loss_curve_is_drawn_while_it_grows(browser: Browser) -> None:
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


def test_a_sample_is_ordered_with_conditions_and_shares(browser: Browser, table: str) -> None:
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


def test_quotas_of_the_key_hold_for_pages_too(browser: Browser, table: str) -> None:
    browser.sign_in()
    made = browser.send("/keys", name="small", scope="write", max_running_jobs="0")
    secret = re.search(r"lls_\w+_[\w-]+", made.text)[0]
    browser.client.cookies.clear()
    answer = browser.client.post("/sign-in", data={"key": secret})
    browser.token = re.search(r'name="form_token" value="(\w+)"', answer.text)[1]
    refused = browser.send(f"/tables/{table}/fit", name="too many")
    assert refused.status_code == 429
    assert "this key allows 0" in refused.text
    assert browser.get("/keys").status_code == 403


def test_a_key_is_shown_once_and_its_end_ends_its_sessions(browser: Browser) -> None:
    browser.sign_in()
    made = browser.send("/keys", name="guest", scope="read", days="3")
    secret = re.search(r"lls_\w+_[\w-]+", made.text)[0]
    key_id = secret.split("_")[1]
    assert secret not in browser.get("/keys").text
    token, mine = browser.token, browser.client.cookies["llmsynth_session"]
    browser.client.cookies.clear()
    browser.client.post("/sign-in", data={"key": secret})
    guest = browser.client.cookies["llmsynth_session"]
    browser.client.cookies.set("llmsynth_session", mine)
    browser.token = token
    assert f"/v1/keys/{key_id}/revoke" in browser.send(f"/keys/{key_id}/revoke").text
    browser.client.cookies.clear()
    browser.client.cookies.set("llmsynth_session", guest)
    assert browser.get("/tables").url.path == "/sign-in"
    browser.client.cookies.clear()
    browser.sign_in()
    assert "create key" in browser.get("/audit").text


def test_a_report_is_shown_where_it_can_reach_nothing(browser: Browser) -> None:
    browser.sign_in()
    report = browser.office.add_report()
    page = browser.get(f"/reports/{report.id}").text
    assert re.search(r"<iframe[^>]* sandbox\b(?!=)", page)
    shown = browser.get(f"/reports/{report.id}/page")
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'self'" in policy
    assert shown.headers["x-frame-options"] == "SAMEORIGIN"
    saved = browser.get(f"/reports/{report.id}/download?format=json")
    assert "attachment" in saved.headers["content-disposition"]
    gone = browser.send(f"/reports/{report.id}/delete")
    assert "none is left" in gone.text
    assert "-X DELETE" in gone.text


def test_a_table_is_parted_and_deleted(browser: Browser) -> None:
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


def test_the_uses_are_ordered_by_their_forms(browser: Browser, table: str) -> None:
    browser.sign_in()
    classes = browser.get(f"/tables/{table}/rebalance/classes?column=sex").text
    assert classes.count("now 50.0%") == 2
    page = browser.send(
        f"/tables/{table}/rebalance", column="sex", name="more", **{"group:f": "70"}
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
    assert specs["impute"]["columns"] == ["city"]
    assert specs["few-shot"]["quotas"] == {"sex": {"f": 0.6}}
    assert specs["few-shot"]["schema"]["columns"][0]["scale"] == 1
    more = browser.send("/few-shot", more="1", **columns)
    assert more.text.count('.kind"') > 5
    wrong = browser.send("/few-shot", rows="5", **{"0.name": "c", "0.kind": "category"})
    assert "list its categories" in wrong.text


def test_a_script_is_told_where_to_sign_in_and_what_went_wrong(
    browser: Browser, table: str
) -> None:
    script = {"HX-Request": "true"}
    browser.client.cookies.clear()
    answer = browser.get("/jobs", headers=script)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/sign-in")
    browser.sign_in()
    one = browser.office.add_synthesizer(state="fitting", table_id=table)
    form = {"form_token": browser.token, "rows": "5"}
    answer = browser.client.post(f"/synthesizers/{one.id}/rows", data=form, headers=script)
    assert answer.status_code == 409
    assert answer.headers["hx-retarget"] == "#problems"
    assert "not ready" in answer.text


PLAIN = ("/", "/tables", "/synthesizers", "/reports", "/compare", "/evaluate", "/jobs", "/few-shot")
PLAIN += ("/keys", "/audit", "/manual")
OF_A_TABLE = ("", "/rows", "/schema", "/fit", "/rebalance?column=sex", "/impute")


def every_page(browser: Browser, table: str) -> list[str]:
    with browser.office.service.database.reading() as session:
        synthesizer = session.query(Synthesizer).filter_by(table_id=table).first()
    assert synthesizer is not None
    about = f"/synthesizers/{synthesizer.id}"
    return [
        *PLAIN,
        *(f"/tables/{table}{part}" for part in OF_A_TABLE),
        about,
        f"{about}/sample?quota_column=sex",
        "/nowhere",
    ]


def test_every_page_is_safe_complete_and_usable_by_keyboard(browser: Browser, table: str) -> None:
    browser.sign_in()
    for path in every_page(browser, table):
        answer = browser.get(path, headers={"Accept": "text/html"})
        assert answer.status_code in (200, 404), (path, answer.status_code)
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self';" in policy, path
        assert "unsafe" not in policy, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        outline = Outline(answer.text)
        assert outline.inline == [], path
        assert len(outline.ids) == len(set(outline.ids)), path
        assert "content" in outline.ids
        assert 'class="skip" href="#content"' in answer.text
        nameless = [
            field
            for field in outline.fields
            if field.get("id") not in outline.labelled and not field["wrapped"]
        ]
        assert nameless == [], path
        assert all(address.startswith(("/", "?", "#")) for address in outline.addresses), path
        assert answer.text.count("<h1") == 1, path


def test_static_files_may_be_kept_because_their_address_changes(browser: Browser) -> None:
    browser.sign_in()
    page = browser.get("/tables").text
    addresses = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    assert len(addresses) == 4
    for address in addresses:
        answer = browser.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert browser.get("/static/../app.py").status_code == 404
