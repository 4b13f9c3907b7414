"""Refuses forms that another site made a browser send."""

from __future__ import annotations

import hmac
from typing import Any
from urllib.parse import urlsplit

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.enums import RequestEncodingType
from litestar.handlers import BaseRouteHandler

from llmsynth_serving.accounts.web_sessions import form_token
from llmsynth_serving.objects.refusals import ForbiddenError, TooLargeError

FIELD, HEADER = "form_token", "x-form-token"
SAFE = ("GET", "HEAD", "OPTIONS")
OWN_SITES = ("same-origin", "none")
FORM_ROOM = 1 << 20
"""Bytes of a form besides the file in it."""
Connection = ASGIConnection[Any, Any, Any, Any]


class StrangeFormError(ForbiddenError):
    """The form was not made by this session's own pages."""

    hint = "Go back, load the page again, and send the form once more."


async def own_form(connection: Connection, handler: BaseRouteHandler) -> None:
    """Let a form through whose session made it; before there is one, whose page is of this site.

    Raises:
        StrangeFormError: it carries no token, or another session's.
        TooLargeError: more bytes than a table may have, told before they are read.
    """
    if connection.scope.get("method") in SAFE:
        return
    _check_site(connection)
    if not connection.auth:
        return  # nobody acts: the guards of scopes and the sign-in itself decide
    assert isinstance(connection, Request)
    given = connection.headers.get(HEADER) or connection.query_params.get(FIELD)
    if given is None and connection.content_type[0] == RequestEncodingType.URL_ENCODED:
        given = str((await connection.form()).get(FIELD, ""))
    # A form with a file brings its token in the address: nothing of it is read before.
    _check_size(connection)
    if not hmac.compare_digest((given or "").encode(), form_token(connection.auth).encode()):
        raise StrangeFormError("This form does not belong to your session.")


def _check_site(connection: Connection) -> None:
    site = connection.headers.get("sec-fetch-site")
    if site is None:  # an old browser; a proxy may have changed the host that newer ones compare
        origin, host = connection.headers.get("origin"), connection.headers.get("host")
        is_own = not origin or urlsplit(origin).netloc == host
    else:
        is_own = site in OWN_SITES
    if not is_own:
        raise StrangeFormError("This form was sent by another site.")


def _check_size(connection: Connection) -> None:
    most = connection.app.state.service.settings.max_upload_bytes
    if int(connection.headers.get("content-length", 0)) > most + FORM_ROOM:
        raise TooLargeError(f"The file is larger than the {most} bytes allowed.")
