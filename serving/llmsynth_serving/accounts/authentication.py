"""Finds out who makes a request, by its key, and refuses those whose scope is too small."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import Guard

from llmsynth_serving.accounts import web_sessions
from llmsynth_serving.accounts.keys import Caller, Scope, find_caller
from llmsynth_serving.objects.refusals import ForbiddenError, NotSignedInError
from llmsynth_serving.service import Service

PAGE = "page"
"""Option of handlers that answer a browser: those know its session, and no others do."""
Connection = ASGIConnection[Any, Any, Any, Any]


class KeyAuthentication(AbstractAuthenticationMiddleware):
    """Puts the `Caller` into `request.user`; a request without a valid key has none.

    Pages go by the session's cookie alone and the API by the key alone: another site can make a
    browser send the cookie, so that nothing but a page, which also asks for its forms' token, may
    go by it. `request.auth` is the session's token.
    """

    async def authenticate_request(self, connection: Connection) -> AuthenticationResult:
        """Look the request's key up, on a thread: hashing takes milliseconds."""
        service: Service = connection.app.state.service
        if connection.route_handler.opt.get(PAGE):
            token = connection.cookies.get(web_sessions.COOKIE)
            caller = await asyncio.to_thread(_signed_in, service, token) if token else None
            return AuthenticationResult(user=caller, auth=token if caller else None)
        text = key_of(connection)
        if text is None:
            return AuthenticationResult(user=None, auth=None)
        caller = service.callers.find(text) or await asyncio.to_thread(_caller, service, text)
        return AuthenticationResult(user=caller, auth=None)


def key_of(connection: Connection) -> str | None:
    """The key's text, from the bearer token."""
    scheme, _, text = connection.headers.get("authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" and text else None


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
        caller = find_caller(session, text)
    if caller is not None:
        service.callers.remember(text, caller)
    return caller


def _signed_in(service: Service, token: str) -> Caller | None:
    with service.database.reading() as session:
        return web_sessions.find(session, token)
