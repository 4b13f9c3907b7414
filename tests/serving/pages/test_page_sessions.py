"""Who may do what on pages: sessions, forms of other sites, quotas, reports in their frame."""

from __future__ import annotations

import re
from typing import Any

from llmsynth_serving.database.records import AuditEntry


def test_a_key_opens_a_session_and_a_wrong_one_does_not(browser: Any) -> None:
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


def test_over_tls_the_cookie_is_for_tls_alone(browser: Any) -> None:
    data = {"key": browser.office.keys["p1", "read"]}
    secure = browser.client.post(
        "https://testserver.local/sign-in", data=data, follow_redirects=False
    )
    assert "Secure" in secure.headers["set-cookie"]


def test_a_form_of_another_site_is_refused(browser: Any, table: str) -> None:
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


def test_quotas_of_the_key_hold_for_pages_too(browser: Any, table: str) -> None:
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


def test_a_key_is_shown_once_and_its_end_ends_its_sessions(browser: Any) -> None:
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


def test_a_report_is_shown_where_it_can_reach_nothing(browser: Any) -> None:
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


def test_a_script_is_told_where_to_sign_in_and_what_went_wrong(browser: Any, table: str) -> None:
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
