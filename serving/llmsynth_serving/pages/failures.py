"""Refusals and defects as pages; who is not signed in is asked to be."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import structlog
from litestar import Response
from litestar.exceptions import HTTPException, NotFoundException
from litestar.plugins.htmx import HTMXRequest
from litestar.response import Redirect

from llmsynth.errors import LlmsynthError
from llmsynth_serving.api.problems import AnyRequest, framework_error, status_of
from llmsynth_serving.pages.asking import Asked
from llmsynth_serving.pages.rendering import page

_log = structlog.get_logger("llmsynth.pages")
TITLES = {
    401: "You are not signed in",
    403: "Your key does not allow this",
    404: "There is nothing here",
    413: "This is too large",
    429: "Too much at once",
}


def refused(request: AnyRequest, error: LlmsynthError) -> Response[Any]:
    """Our own errors in their own words."""
    status = status_of(error)
    if status == 401:
        return _sign_in_first(request)
    if status >= 500:
        _log.error("request_failed", error=repr(error))
    return _shown(request, status, error.message, error.hint)


def framework_refused(request: AnyRequest, error: HTTPException) -> Response[Any]:
    """Errors of the framework: a form of the wrong shape, a method that is not there."""
    return _shown(request, error.status_code, error.detail, None)


def broke(request: AnyRequest, error: Exception) -> Response[Any]:
    """A defect: logged with its trace, shown without one."""
    _log.error("request_broke", path=str(request.url.path), exc_info=error)
    detail = "The service made an error; its log has the details under the request id."
    return _shown(request, 500, detail, None)


def nothing_there(request: AnyRequest, error: NotFoundException) -> Response[Any]:
    """A path without a handler: a page for a browser, a problem document for a program."""
    wants_page = "text/html" in request.headers.get("accept", "")
    if request.url.path.startswith("/v1/") or not wants_page:
        return framework_error(request, error)
    return _shown(request, 404, "No page has this address.", None)


def _sign_in_first(given: AnyRequest) -> Response[Any]:
    request = _asked(given)
    path = request.url.path if request.method == "GET" and not request.htmx else "/"
    where = f"/sign-in?next={quote(path, safe='/')}" if path != "/" else "/sign-in"
    if request.htmx:
        return Response("", status_code=401, headers={"HX-Redirect": where})
    if request.method == "GET":
        return Redirect(where, status_code=303)
    return _shown(request, 401, "Your session has ended, or you have none.", "Sign in.")


def _shown(given: AnyRequest, status: int, detail: str, hint: str | None) -> Response[Any]:
    request = _asked(given)
    name = "problem_part.html" if request.htmx else "problem.html"
    title = TITLES.get(status, "This did not work")
    # A script puts a problem where people see it, whatever it asked for.
    headers = {"HX-Retarget": "#problems", "HX-Reswap": "innerHTML"} if request.htmx else {}
    return page(
        request,
        name,
        status=status,
        headers=headers,
        code=status,
        title=title,
        detail=detail,
        hint=hint,
    )


def _asked(request: AnyRequest) -> Asked:
    """The request as pages know it; one that failed early has nobody behind it."""
    request.scope.setdefault("user", None)
    request.scope.setdefault("auth", None)
    return HTMXRequest(request.scope)


HANDLERS: dict[int | type[Exception], Any] = {
    LlmsynthError: refused,
    HTTPException: framework_refused,
    Exception: broke,
}
