"""Finds out who makes a request, by its key, and refuses those whose scope is too small."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import Guard

from llmsynth_serving.accounts.keys import Caller, Scope, find_caller
from llmsynth_serving.objects.refusals import ForbiddenError, NotSignedInError
from llmsynth_serving.service import Service

COOKIE = "llmsynth_session"
Connection = ASGIConnection[Any, Any, Any, Any]


class KeyAuthentication(AbstractAuthenticationMiddleware):
    """Puts the `Caller` into `request.user`; a request without a valid key has none."""

    async def authenticate_request(self, connection: Connection) -> AuthenticationResult:
        """Look the request's key up, on a thread: hashing takes milliseconds."""
        text = key_of(connection)
        service: Service = connection.app.state.service
        caller = await asyncio.to_thread(_caller, service, text) if text else None
        return AuthenticationResult(user=caller, auth=None)


def key_of(connection: Connection) -> str | None:
    """The key's text: a bearer token, or the cookie of a web session."""
    scheme, _, text = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and text:
        return text.strip()
    return connection.cookies.get(COOKIE)


def requires(scope: Scope) -> Guard:
    """A guard that lets callers of at least this scope through.

    Raises:
        NotSignedInError: no valid key.
        ForbiddenError: its scope is too small.
    """

    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        caller = connection.user
        if not isinstance(caller, Caller):
            raise NotSignedInError("This needs a valid key.")
        if not caller.may(scope):
            raise ForbiddenError(
                f"This needs the scope {scope!r}; the key {caller.key_name!r} has {caller.scope!r}."
            )

    guard.scope = scope  # type: ignore[attr-defined]
    return guard


def _caller(service: Service, text: str) -> Caller | None:
    with service.database.reading() as session:
        return find_caller(session, text)
