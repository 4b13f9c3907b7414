"""Every request's id, its line in the log, and the headers that every answer carries."""

from __future__ import annotations

import re
import time
import uuid

import structlog
from litestar.datastructures import MutableScopeHeaders
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from llmsynth_serving.accounts.keys import Caller

_USUAL_ID = re.compile(r"[\w.-]{1,64}")
_ID, _STARTED = "llmsynth_request_id", "llmsynth_request_started"
_log = structlog.get_logger("llmsynth.requests")
QUIET = ("/health", "/ready", "/metrics")
"""Asked by machines every few seconds; logged only where they fail."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class RequestIds(ASGIMiddleware):
    """Gives each request an id, the caller's where it is a usual one, for every line of the log."""

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Bind the id while the request is answered."""
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = given if _USUAL_ID.fullmatch(given) else uuid.uuid4().hex
        scope["state"][_ID], scope["state"][_STARTED] = request_id, time.monotonic()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await next_app(scope, receive, send)


async def finish(message: Message, scope: Scope) -> None:
    """Complete an answer's headers, those of errors too, and log the request."""
    if message["type"] != "http.response.start":
        return
    headers = MutableScopeHeaders.from_message(message)
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    request_id = scope["state"].get(_ID) or uuid.uuid4().hex
    headers["X-Request-Id"] = request_id
    status = message["status"]
    if scope["path"] in QUIET and status < 500:
        return
    started = scope["state"].get(_STARTED)
    caller = scope.get("user")
    _log.info(
        "request",
        request_id=request_id,
        method=scope.get("method"),
        path=scope["path"],
        status=status,
        key_id=caller.key_id if isinstance(caller, Caller) else None,
        milliseconds=round(1000 * (time.monotonic() - started), 1) if started else None,
    )
