"""Keys over HTTP, for callers of the scope admin: make, list, rotate, revoke."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, get, post
from litestar.datastructures import State
from litestar.params import FromPath, JSONBody

from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.api.documents import KeyDocument, Listing, NewKeyDocument
from llmsynth_serving.api.idempotency import SHOWN_ONCE
from llmsynth_serving.api.orders import KeyOrder
from llmsynth_serving.objects import keys

Asked = Request[Any, Any, State]


class KeyController(Controller):
    """`/v1/keys`: those of the caller's own project."""

    path = "/v1/keys"
    tags = ("keys",)
    guards = (requires("admin"),)

    @post(status_code=201, sync_to_thread=True, opt={SHOWN_ONCE: True})
    def create(self, request: Asked, data: JSONBody[KeyOrder]) -> NewKeyDocument:
        """Make a key; its text is in this answer and nowhere else."""
        with request.app.state.service.database.session() as session:
            key, text = keys.create(
                session,
                project_id=request.user.project_id,
                name=data.name,
                scope=data.scope,
                expires_at=data.expires_at,
                limits=data.limits(),
                caller=request.user,
            )
        return NewKeyDocument(key=text, details=KeyDocument.of(key))

    @get(sync_to_thread=True)
    def list_keys(self, request: Asked) -> Listing[KeyDocument]:
        """The project's keys, without the keys themselves."""
        with request.app.state.service.database.reading() as session:
            found = keys.list_keys(session, request.user.project_id)
        return Listing(items=[KeyDocument.of(key) for key in found])

    @post("/{key_id:str}/rotate", status_code=201, sync_to_thread=True, opt={SHOWN_ONCE: True})
    def rotate(self, request: Asked, key_id: FromPath[str]) -> NewKeyDocument:
        """Make a key like this one, and revoke this one."""
        caller = request.user
        with request.app.state.service.database.session() as session:
            key, text = keys.rotate(session, key_id, project_id=caller.project_id, caller=caller)
        request.app.state.service.callers.forget()
        return NewKeyDocument(key=text, details=KeyDocument.of(key))

    @post("/{key_id:str}/revoke", status_code=200, sync_to_thread=True)
    def revoke(self, request: Asked, key_id: FromPath[str]) -> KeyDocument:
        """End a key, from the next request on; at another API process, within two seconds."""
        caller = request.user
        with request.app.state.service.database.session() as session:
            key = keys.revoke(session, key_id, project_id=caller.project_id, caller=caller)
        request.app.state.service.callers.forget()
        return KeyDocument.of(key)
