"""Keys and the audit log, for callers of the scope admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery

from llmsynth.errors import LlmsynthError
from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.accounts.keys import SCOPES
from llmsynth_serving.api.orders import KeyOrder
from llmsynth_serving.database.records import ApiKey, AuditEntry, now
from llmsynth_serving.objects import keys
from llmsynth_serving.objects.refusals import RefusedInputError
from llmsynth_serving.pages import snippets
from llmsynth_serving.pages.asking import Asked, Filled, caller_of, listed, service_of
from llmsynth_serving.pages.forms import Form, attempted, go, order, shortest, text
from llmsynth_serving.pages.rendering import page


class KeyPages(Controller):
    """`/keys`: those of the caller's own project."""

    path = "/keys"
    guards = (requires("admin"),)

    @get(sync_to_thread=True)
    def list_keys(self, request: Asked, revoked: FromQuery[str | None] = None) -> Response[Any]:
        """The project's keys, and the form for one more."""
        return _list(request, revoked=revoked)

    @post(status_code=200, sync_to_thread=True)
    def create(self, request: Asked, data: Filled) -> Response[Any]:
        """Make a key and show it, once."""

        def act() -> Response[Any]:
            wanted = order(KeyOrder, data, **_expiry(data))
            caller = caller_of(request)
            with service_of(request).database.session() as session:
                key, secret = keys.create(
                    session,
                    project_id=caller.project_id,
                    name=wanted.name,
                    scope=wanted.scope,
                    expires_at=wanted.expires_at,
                    limits=wanted.limits(),
                    caller=caller,
                )
            shown = snippets.bare(request, "POST", "/v1/keys", shortest(wanted))
            return page(request, "new_key.html", key=key, secret=secret, snippet=shown)

        def again(error: LlmsynthError, status: int) -> Response[Any]:
            return _list(request, filled=data, error=error, status=status)

        return attempted(act, again)

    @post("/{key_id:str}/rotate", status_code=200, sync_to_thread=True)
    def rotate(self, request: Asked, key_id: FromPath[str]) -> Response[Any]:
        """Make a key like this one, and end this one."""
        caller = caller_of(request)
        with service_of(request).database.session() as session:
            key, secret = keys.rotate(session, key_id, project_id=caller.project_id, caller=caller)
        service_of(request).callers.forget()
        path = f"/v1/keys/{key_id}/rotate"
        shown = snippets.bare(request, "POST", path)
        return page(request, "new_key.html", key=key, secret=secret, snippet=shown)

    @post("/{key_id:str}/revoke", status_code=200, sync_to_thread=True)
    def revoke(self, request: Asked, key_id: FromPath[str]) -> Response[Any]:
        """End a key, and every session that was begun with it."""
        caller = caller_of(request)
        with service_of(request).database.session() as session:
            keys.revoke(session, key_id, project_id=caller.project_id, caller=caller)
        service_of(request).callers.forget()
        return go(request, f"/keys?revoked={key_id}")


class AuditPages(Controller):
    """`/audit`."""

    path = "/audit"
    guards = (requires("admin"),)

    @get(sync_to_thread=True)
    def list_entries(
        self,
        request: Asked,
        cursor: FromQuery[str | None] = None,
        object_id: FromQuery[str | None] = None,
    ) -> Response[Any]:
        """Who did what in the project, the newest first."""
        shown = listed(request, AuditEntry, cursor=cursor, object_id=object_id or None)
        with service_of(request).database.reading() as session:
            known = keys.list_keys(session, caller_of(request).project_id)
        return page(
            request,
            "audit.html",
            entries=shown.items,
            next_cursor=shown.next_cursor,
            object_id=object_id or "",
            key_names={key.id: key.name for key in known},
        )


def _list(
    request: Asked,
    *,
    filled: Form | None = None,
    error: LlmsynthError | None = None,
    status: int = 200,
    revoked: str | None = None,
) -> Response[Any]:
    path = f"/v1/keys/{quote(revoked)}/revoke" if revoked else None
    with service_of(request).database.reading() as session:
        known = keys.list_keys(session, caller_of(request).project_id)
    return page(
        request,
        "keys.html",
        status=status,
        keys=[(key, _state(key)) for key in known],
        scopes=SCOPES,
        filled=filled or {},
        error=error,
        snippet=snippets.bare(request, "POST", path) if path else None,
    )


def _expiry(form: Form) -> dict[str, Any]:
    days = text(form, "days")
    if days is None:
        return {}
    if not days.isdecimal() or not 1 <= int(days) <= 36_500:
        raise RefusedInputError("Valid for: give days, from 1 to 36500.")
    return {"expires_at": now() + timedelta(days=int(days))}


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now() else "valid"
