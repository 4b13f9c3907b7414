"""Every route of the application, tried by those who may not use it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from llmsynth_serving.accounts import web_sessions
from llmsynth_serving.accounts.authentication import PAGE
from llmsynth_serving.accounts.keys import SCOPES, find_caller
from llmsynth_serving.pages.own_forms import FIELD

OPEN = {"/health", "/ready", "/version", "/metrics", "/sign-in", "/static/{file_path:path}"}
A_FILE = "/static/style.css"
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

    @property
    def is_page(self) -> bool:
        return bool(self.handler.opt.get(PAGE))


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
        "/v1/jobs/rebalance": {
            "json": {"table_id": table, "groups": [{"where": {"b": "x"}, "share": 0.5}]}
        },
        "/v1/jobs/few-shot": {"json": {"rows": 1, "examples_table_id": table}},
        "/v1/jobs/impute": {"json": {"table_id": table}},
        "/v1/rows": {"json": rows},
        "/v1/keys": {"json": {"name": "k", "scope": "read"}},
        "/v1/tables": {"content": b"a\n1\n", "params": {"name": "x"}},
        "/v1/tables/{table_id}/split": {"json": {"holdout_share": 0.5}},
        "/v1/tables/{table_id}/schema": {"json": {"columns": []}},
    }
    forms: dict[str, dict[str, str]] = {
        "/sign-out": {},
        "/demo": {},
        "/evaluate": {"table_id": table, "train_id": table, "holdout_id": other, "name": "r"},
        "/keys": {"name": "k", "scope": "read"},
        "/tables": {"name": "t"},
        "/tables/{table_id}/schema": {"version": "1", "first": "0"},
        "/tables/{table_id}/fit": {"name": "s"},
        "/tables/{table_id}/split": {"holdout_percent": "50"},
        "/tables/{table_id}/rebalance": {"column": "b", "group:x": "70"},
        "/tables/{table_id}/impute": {},
        "/few-shot": {"rows": "1", "examples_table_id": table},
        "/synthesizers/{synthesizer_id}/rows": {"rows": "1"},
        "/synthesizers/{synthesizer_id}/sample": {"rows": "1", "name": "s"},
    }
    if door.is_page and door.method == "POST":
        path = door.path.replace(":str", "")
        needs_nothing = path.endswith(("/delete", "/cancel", "/retry", "/rotate", "/revoke"))
        assert path in forms or needs_nothing, f"{path}: give `forms` what it takes"
        file = {"files": {"file": ("t.csv", b"a\n1\n")}} if path == "/tables" else {}
        return {"data": forms.get(path, {}), **file}
    has_path_id = "{" in door.path
    path = door.path.replace(":str", "")
    if door.method in ("GET", "DELETE") or (has_path_id and path not in bodies):
        return {}
    assert path in bodies, f"{door.method} {path}: give `bodies` what it takes"
    return bodies[path]


def filled_number(path: str) -> str:
    return f"{path}?number=0&0.kind=text" if path.endswith("/schema/column") else path


def signed_in(office: Any, text: str) -> dict[str, str]:
    """The cookie and the forms' token of a browser that signed in with a key."""
    with office.service.database.session() as session:
        caller = find_caller(session, text)
        token = web_sessions.begin(session, caller, hours=1) if caller else "nothing"
    return {"cookie": f"{web_sessions.COOKIE}={token}", FIELD: web_sessions.form_token(token)}


def ask(office: Any, door: Door, things: dict[str, str], key: str | None) -> Any:
    path, given = filled_number(filled(door.path, things)), body(door, things)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    if door.is_page and key:
        session = signed_in(office, key)
        headers = {"Cookie": session["cookie"]}
        if door.method == "POST":
            given["params"] = {FIELD: session[FIELD]}
    return office.client.request(
        door.method, path, headers=headers, follow_redirects=False, **given
    )


def test_only_what_tells_nothing_is_open(office: Any) -> None:
    every = doors(office.client.app)
    assert {door.path for door in every if door.scope is None} == OPEN
    assert len([door for door in every if not door.is_page]) > 30
    assert len([door for door in every if door.is_page]) > 40
    for path in OPEN:
        asked = A_FILE if path.startswith("/static") else path
        assert office.client.get(asked).status_code == 200


@pytest.mark.parametrize("key", [None, NOBODY])
def test_without_a_valid_key_every_other_door_is_closed(
    office: Any, things: dict[str, str], key: str | None
) -> None:
    for door in doors(office.client.app):
        if not door.scope:
            continue
        answer = ask(office, door, things, key)
        if door.is_page and door.method == "GET":
            assert answer.status_code == 303, (door, answer.text)
            assert answer.headers["location"].startswith("/sign-in"), door
        else:
            assert answer.status_code == 401, (door, answer.text)


def test_a_key_of_too_small_a_scope_opens_nothing(office: Any, things: dict[str, str]) -> None:
    tried = 0
    for door in doors(office.client.app):
        for scope in SCOPES[: SCOPES.index(door.scope)] if door.scope else ():
            answer = ask(office, door, things, office.keys["p1", scope])
            assert answer.status_code == 403, (door, scope, answer.text)
            tried += 1
    assert tried > 40


def test_a_key_of_another_project_finds_nothing(office: Any, things: dict[str, str]) -> None:
    for door in doors(office.client.app):
        if not door.scope:
            continue
        answer = ask(office, door, things, office.keys["p2", "admin"])
        given = body(door, things)
        told = json.dumps([given.get("json"), given.get("data")])
        names_an_object = "{" in door.path or any(value in told for value in things.values())
        if names_an_object:
            assert answer.status_code == 404, (door.method, door.path, answer.text)
        for value in things.values():
            assert value not in answer.text or names_an_object, (door.path, value)
        assert office.keys["p1", "read"].split("_")[1] not in answer.text or names_an_object


def test_a_session_opens_pages_alone_and_a_key_the_api_alone(office: Any) -> None:
    key = office.keys["p1", "admin"]
    cookie = {"Cookie": signed_in(office, key)["cookie"]}
    bearer = {"Authorization": f"Bearer {key}"}
    ask = office.client.get
    assert ask("/v1/tables", headers=cookie).status_code == 401
    assert ask("/v1/tables", headers=bearer).status_code == 200
    assert ask("/tables", headers=cookie, follow_redirects=False).status_code == 200
    assert ask("/tables", headers=bearer, follow_redirects=False).status_code == 303


def test_what_was_refused_left_everything_in_its_place(office: Any, things: dict[str, str]) -> None:
    for kind in ("table", "synthesizer", "report", "job"):
        path = f"/v1/{kind}s/{things[f'{kind}_id']}"
        assert office.client.get(path, headers=office.headers()).status_code == 200
