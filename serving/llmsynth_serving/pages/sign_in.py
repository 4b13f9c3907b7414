"""Signing in with a key, and out."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Response, get, post
from litestar.datastructures import Cookie
from litestar.params import FromQuery
from litestar.response import Redirect

from llmsynth_serving.accounts import web_sessions
from llmsynth_serving.accounts.audit import note
from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.accounts.keys import find_caller
from llmsynth_serving.pages.asking import Asked, Filled, caller_of, service_of
from llmsynth_serving.pages.forms import text
from llmsynth_serving.pages.rendering import page


class SignInPages(Controller):
    """`/sign-in` and `/sign-out`."""

    @get("/sign-in", opt={"open": True}, sync_to_thread=True)
    def show(self, request: Asked, next_path: FromQuery[str] = "/") -> Response[Any]:
        """The form."""
        if request.user:
            return Redirect("/", status_code=303)
        asked = request.query_params.get("next", next_path)
        return page(request, "sign_in.html", next=_own_path(asked), problem=None)

    @post("/sign-in", opt={"open": True}, status_code=200, sync_to_thread=True)
    def sign_in(self, request: Asked, data: Filled) -> Response[Any]:
        """Give the browser a session, if the key is valid."""
        service, path = service_of(request), _own_path(text(data, "next") or "/")
        with service.database.session() as session:
            caller = find_caller(session, text(data, "key") or "")
            if caller is None:
                problem = "This is no valid key."
                return page(request, "sign_in.html", status=401, next=path, problem=problem)
            hours = service.settings.session_hours
            token = web_sessions.begin(session, caller, hours=hours)
            note(session, caller, "sign in", kind="key", object_id=caller.key_id)
        return Redirect(path, status_code=303, cookies=[_cookie(request, token, hours)])

    @post("/sign-out", guards=[requires("read")], status_code=200, sync_to_thread=True)
    def sign_out(self, request: Asked) -> Response[Any]:
        """End the session."""
        caller = caller_of(request)
        with service_of(request).database.session() as session:
            web_sessions.end(session, request.auth)
            note(session, caller, "sign out", kind="key", object_id=caller.key_id)
        return Redirect("/sign-in", status_code=303, cookies=[_cookie(request, "", 0)])


def _cookie(request: Asked, token: str, hours: float) -> Cookie:
    is_secure = service_of(request).settings.secure_cookies or request.url.scheme == "https"
    return Cookie(
        key=web_sessions.COOKIE,
        value=token,
        max_age=int(hours * 3600),
        path="/",
        httponly=True,
        samesite="strict",
        secure=is_secure,
    )


def _own_path(path: str) -> str:
    """A path of this site; anything else would send who signs in elsewhere."""
    is_own = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if is_own and path.isprintable() else "/"
