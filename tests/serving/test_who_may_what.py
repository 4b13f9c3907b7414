"""Every route of the application, tried by those who may not use it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from llmsynth_serving.accounts.keys import SCOPES

OPEN = {"/health", "/ready", "/version", "/metrics"}
DOCUMENTATION = ("/schema",)
NOBODY = "lls_" + "0" * 32 + "_nothing"


@dataclass(frozen=True)
class Door:
    """A method of a path, and the scope that opens it."""

    method: str
    path: str
    handler: HTTPRouteHandler

    @property
    def scope(self) -> str | None:
        guards = self.handler.resolve_guards()
        scopes = [guard.scope for guard in guards if hasattr(guard, "scope")]
        return max(scopes, key=SCOPES.index, default=None)


def doors(app: Any) -> list[Door]:
    return [
        Door(method, route.path, handler)
        for route in app.routes
        if isinstance(route, HTTPRoute) and not route.path.startswith(DOCUMENTATION)
        for handler in route.route_handlers
        for method in handler.http_methods
        if method != "OPTIONS"
    ]


@pytest.fixture(scope="module")
def things(office: Any) -> dict[str, str]:
    """One object of every kind, all of the project p1."""
    table = office.upload(b"a,b\n1,x\n2,y\n").json()["id"]
    synthesizer = office.add_synthesizer(state="ready", path="synthesizers/x/1")
    job = office.add_job(spec={"synthesizer_id": synthesizer.id, "settings": {}}, state="failed")
    return {
        "table_id": table,
        "synthesizer_id": synthesizer.id,
        "job_id": job.id,
        "report_id": office.add_report().id,
        "key_id": office.keys["p1", "read"].split("_")[1],
    }


def filled(path: str, things: dict[str, str]) -> str:
    for name, value in things.items():
        path = path.replace(f"{{{name}}}", value).replace(f"{{{name}:str}}", value)
    assert "{" not in path, f"{path}: add an object of this kind to `things`"
    return path


def body(door: Door, things: dict[str, str]) -> dict[str, Any]:
    """What the door would take from somebody who may; a new POST needs an entry."""
    table, other = things["table_id"], things["table_id"][::-1]
    judged = {"table_id": table, "train_id": table, "holdout_id": other}
    rows = {"synthesizer_id": things["synthesizer_id"], "rows": 1}
    bodies: dict[str, dict[str, Any]] = {
        "/v1/jobs/fit": {"json": {"table_id": table}},
        "/v1/jobs/sample": {"json": rows},
        "/v1/jobs/evaluate": {"json": judged},
        "/v1/rows": {"json": rows},
        "/v1/keys": {"json": {"name": "k", "scope": "read"}},
        "/v1/tables": {"content": b"a\n1\n", "params": {"name": "x"}},
        "/v1/tables/{table_id}/schema": {"json": {"columns": []}},
    }
    has_path_id = "{" in door.path
    path = door.path.replace(":str", "")
    if door.method in ("GET", "DELETE") or (has_path_id and path not in bodies):
        return {}
    assert path in bodies, f"{door.method} {path}: give `bodies` what it takes"
    return bodies[path]


def ask(office: Any, door: Door, things: dict[str, str], headers: dict[str, str]) -> Any:
    path = filled(door.path, things)
    return office.client.request(door.method, path, headers=headers, **body(door, things))


def test_only_what_tells_nothing_is_open(office: Any) -> None:
    every = doors(office.client.app)
    assert {door.path for door in every if door.scope is None} == OPEN
    assert len(every) > 30
    for path in OPEN:
        assert office.client.get(path).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": f"Bearer {NOBODY}"}])
def test_without_a_valid_key_every_other_door_is_closed(
    office: Any, things: dict[str, str], headers: dict[str, str]
) -> None:
    answers = {
        (door.method, door.path): ask(office, door, things, headers).status_code
        for door in doors(office.client.app)
        if door.scope
    }
    assert set(answers.values()) == {401}, answers


def test_a_key_of_too_small_a_scope_opens_nothing(office: Any, things: dict[str, str]) -> None:
    tried = 0
    for door in doors(office.client.app):
        for scope in SCOPES[: SCOPES.index(door.scope)] if door.scope else ():
            answer = ask(office, door, things, office.headers(scope=scope))
            assert answer.status_code == 403, (door, scope, answer.text)
            tried += 1
    assert tried > 15


def test_a_key_of_another_project_finds_nothing(office: Any, things: dict[str, str]) -> None:
    for door in doors(office.client.app):
        if not door.scope:
            continue
        answer = ask(office, door, things, office.headers("p2", "admin"))
        names_an_object = "{" in door.path or any(
            value in json.dumps(body(door, things).get("json", {})) for value in things.values()
        )
        if names_an_object:
            assert answer.status_code == 404, (door.method, door.path, answer.text)
        for value in things.values():
            assert value not in answer.text or names_an_object, (door.path, value)
        assert office.keys["p1", "read"].split("_")[1] not in answer.text or names_an_object


def test_what_was_refused_left_everything_in_its_place(office: Any, things: dict[str, str]) -> None:
    for kind in ("table", "synthesizer", "report", "job"):
        path = f"/v1/{kind}s/{things[f'{kind}_id']}"
        assert office.client.get(path, headers=office.headers()).status_code == 200
