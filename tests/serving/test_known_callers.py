"""Keys that a process remembers for a moment, and forgets where one is revoked."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from llmsynth_serving.accounts import known_callers
from llmsynth_serving.accounts.keys import Caller
from llmsynth_serving.accounts.known_callers import KnownCallers
from llmsynth_serving.database.records import ApiKey, now

CALLER = Caller(key_id="k", project_id="p", scope="read", key_name="n")


def test_a_key_is_remembered_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    known = KnownCallers()
    known.remember("one", CALLER)
    assert known.find("one") == CALLER
    assert known.find("other") is None
    monkeypatch.setattr(known_callers, "time", SimpleNamespace(monotonic=lambda: 1e12))
    assert known.find("one") is None


def test_what_is_remembered_is_no_key_and_has_an_end() -> None:
    known = KnownCallers()
    for number in range(known_callers.MOST_KNOWN + 5):
        known.remember(f"secret {number}", CALLER)
    assert len(known._known) == known_callers.MOST_KNOWN
    assert known.find("secret 0") is None
    assert not any(b"secret" in digest for digest in known._known)


def made(office: Any) -> tuple[str, dict[str, str]]:
    order = {"name": "short-lived", "scope": "read"}
    answer = office.client.post("/v1/keys", json=order, headers=office.headers()).json()
    return answer["details"]["id"], {"Authorization": f"Bearer {answer['key']}"}


def test_a_key_that_is_revoked_ends_with_the_next_request(office: Any) -> None:
    key_id, headers = made(office)
    assert office.client.get("/v1/jobs", headers=headers).status_code == 200
    revoked = office.client.post(f"/v1/keys/{key_id}/revoke", headers=office.headers())
    assert revoked.status_code == 200
    assert office.client.get("/v1/jobs", headers=headers).status_code == 401


def test_a_key_that_another_process_revoked_ends_in_a_moment(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_id, headers = made(office)
    assert office.client.get("/v1/jobs", headers=headers).status_code == 200
    with office.service.database.session() as session:
        session.get(ApiKey, key_id).revoked_at = now()
    later = time.monotonic() + known_callers.KNOWN_SECONDS + 1
    monkeypatch.setattr(known_callers, "time", SimpleNamespace(monotonic=lambda: later))
    assert office.client.get("/v1/jobs", headers=headers).status_code == 401
