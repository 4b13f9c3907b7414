"""Errors as problem documents (RFC 9457): one mapping for every handler."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from sqlalchemy.exc import OperationalError

from llmsynth.errors import InputError, LlmsynthError
from llmsynth_serving.objects.refusals import RefusalError

OUTAGE_SECONDS = 2
"""When to try again where the database was away."""
CONTENT_TYPE = "application/problem+json"
_log = structlog.get_logger("llmsynth.api")
AnyRequest = Request[Any, Any, Any]


def problem(
    status: int,
    detail: str,
    *,
    kind: str = "about:blank",
    headers: dict[str, str] | None = None,
    **more: Any,
) -> Response[dict[str, Any]]:
    """A problem document as an answer."""
    content = {"type": kind, "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Response(
        {**content, **more}, status_code=status, media_type=CONTENT_TYPE, headers=headers
    )


def status_of(error: LlmsynthError) -> int:
    """A refusal has its own status, wrong input is 422, the rest is ours."""
    if isinstance(error, RefusalError):
        return error.status
    return 422 if isinstance(error, InputError) else 500


def refused(request: AnyRequest, error: LlmsynthError) -> Response[dict[str, Any]]:
    """Our own errors."""
    status = status_of(error)
    if status >= 500:
        _log.error("request_failed", error=repr(error))
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if seconds := getattr(error, "retry_seconds", None):
        headers["Retry-After"] = str(math.ceil(seconds))
    kind = f"urn:llmsynth:{type(error).__name__}"
    return problem(status, error.message, kind=kind, headers=headers, hint=error.hint)


def framework_error(request: AnyRequest, error: HTTPException) -> Response[dict[str, Any]]:
    """Errors of the framework: no such route, a body of the wrong shape."""
    errors = error.extra if isinstance(error.extra, list) else []
    return problem(
        error.status_code,
        error.detail,
        headers=dict(error.headers) if error.headers else None,
        errors=[_field(item) for item in errors],
    )


def unexpected(request: AnyRequest, error: Exception) -> Response[dict[str, Any]]:
    """A defect: logged with its trace, answered without one."""
    _log.error("request_broke", path=str(request.url.path), exc_info=error)
    return problem(500, "The service made an error; its log has the details under the request id.")


def outage(request: AnyRequest, error: OperationalError) -> Response[dict[str, Any]]:
    """The database is away; a moment later it may be back."""
    _log.error("database_away", path=str(request.url.path), error=repr(error.orig))
    headers = {"Retry-After": str(OUTAGE_SECONDS)}
    return problem(503, "The database cannot be reached at the moment.", headers=headers)


def _field(item: Any) -> dict[str, str]:
    if not isinstance(item, dict):
        return {"message": str(item)}
    return {name: str(item[name]) for name in ("key", "message", "source") if name in item}


HANDLERS = {
    LlmsynthError: refused,
    HTTPException: framework_error,
    OperationalError: outage,
    Exception: unexpected,
}
