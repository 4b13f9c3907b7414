"""The same POST sent twice acts once: its first answer is kept and given again."""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import cast

from litestar.middleware import ASGIMiddleware
from litestar.serialization import encode_json
from litestar.types import ASGIApp, HTTPReceiveMessage, Message, Receive, Scope, Send
from sqlalchemy import Delete, Update, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from llmsynth_serving.accounts.keys import Caller
from llmsynth_serving.api.documents import JobDocument
from llmsynth_serving.database.records import IdempotentAnswer, Job, new_id, now
from llmsynth_serving.objects.refusals import (
    ConflictError,
    RefusedInputError,
    StillAnsweringError,
)
from llmsynth_serving.service import Service

HEADER = b"idempotency-key"
LONGEST_ANSWER_SECONDS = 3600.0
"""A first request without an answer for so long is taken to have died with its process."""
SHOWN_ONCE = "shown_once"
"""Option of handlers whose answers hold a key: those are kept nowhere."""
KEPT_HEADERS = ("content-type", "etag", "location")
_USUAL_KEY = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass
class _Exchange:
    """What goes by while a request is answered."""

    scope: Scope
    digest: hashlib._Hash
    is_read: bool = False
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)

    def took(self, message: HTTPReceiveMessage) -> None:
        if message["type"] == "http.request":
            self.digest.update(message["body"])
            self.is_read = not message.get("more_body", False)
        elif message["type"] == "http.disconnect":
            self.is_read = True

    def gave(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            named = {name.decode().lower(): v.decode() for name, v in message["headers"]}
            self.headers = {name: named[name] for name in KEPT_HEADERS if name in named}
        elif message["type"] == "http.response.body":
            self.body += message["body"]


class Idempotency(ASGIMiddleware):
    """Answers a repeated POST from memory. Only successes are kept: a refusal changed nothing."""

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Act once for each key.

        Raises:
            RefusedInputError: a key that is empty, too long, or not printable.
            ConflictError: the key was used for another request.
            StillAnsweringError: the first request of this key is under way.
        """
        given = dict(scope["headers"]).get(HEADER)
        caller = scope.get("user")
        if scope.get("method") != "POST" or given is None or not isinstance(caller, Caller):
            await next_app(scope, receive, send)
            return
        key = given.decode("latin-1")
        if not _USUAL_KEY.fullmatch(key):
            raise RefusedInputError("Idempotency-Key must be 1 to 200 printable characters.")
        service: Service = scope["litestar_app"].state.service
        exchange = _Exchange(scope=scope, digest=_begun(scope))
        known = await asyncio.to_thread(_reserved, service, caller.project_id, key)
        if isinstance(known, str):
            scope["user"] = replace(caller, order_id=known)
            await _first(service, known, exchange, receive, send, next_app)
        else:
            await _again(known, exchange, receive, send)


def _is_secret(scope: Scope) -> bool:
    return bool(scope["route_handler"].opt.get(SHOWN_ONCE))


def _begun(scope: Scope) -> hashlib._Hash:
    line = f"{scope.get('method')} {scope['path']}?".encode()
    return hashlib.sha256(line + scope["query_string"] + b"\n")


def _reserved(service: Service, project_id: str, key: str) -> str | IdempotentAnswer:
    """The id of a place for the answer, or the answer that there is."""
    if place := _new_place(service, project_id, key):
        return place
    mine = IdempotentAnswer.project_id == project_id, IdempotentAnswer.key == key
    with service.database.reading() as session:
        found = session.scalar(select(IdempotentAnswer).where(*mine))
        job = session.get(Job, found.id) if found is not None else None
    if found is not None and not found.status and job is not None:
        # The answer was never kept: its process died. The job is there all the same.
        found.status, found.headers = 202, {"content-type": "application/json"}
        found.body = encode_json(JobDocument.of(job)).decode()
    if found is not None and found.status:
        return found
    if found is not None and found.created_at < now() - timedelta(seconds=LONGEST_ANSWER_SECONDS):
        with service.database.session() as session:
            unanswered = IdempotentAnswer.id == found.id, IdempotentAnswer.status == 0
            session.execute(delete(IdempotentAnswer).where(*unanswered))
        if place := _new_place(service, project_id, key):
            return place
    raise StillAnsweringError("The first request with this key is being answered.")


def _new_place(service: Service, project_id: str, key: str) -> str | None:
    """The id of a new place for the key's answer; None where it has one."""
    place = new_id()
    values = {"id": place, "project_id": project_id, "key": key, "created_at": now()}
    empty = {"request_hash": "", "status": 0, "headers": {}, "body": ""}
    try:
        with service.database.session() as session:
            session.execute(insert(IdempotentAnswer).values(**values, **empty))
    except IntegrityError:
        return None
    return place


async def _first(
    service: Service,
    place: str,
    exchange: _Exchange,
    receive: Receive,
    send: Send,
    next_app: ASGIApp,
) -> None:
    async def listening() -> HTTPReceiveMessage:
        message = cast("HTTPReceiveMessage", await receive())
        exchange.took(message)
        return message

    async def answering(message: Message) -> None:
        exchange.gave(message)
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if is_last:
            while not exchange.is_read:
                exchange.took(cast("HTTPReceiveMessage", await receive()))
            # Before the answer leaves: who repeats the request after it must find it.
            await asyncio.to_thread(_keep, service, place, exchange)
        await send(message)

    try:
        await next_app(exchange.scope, listening, answering)
    finally:
        if not exchange.status:
            await asyncio.to_thread(_keep, service, place, exchange)


def _keep(service: Service, place: str, exchange: _Exchange) -> None:
    this = IdempotentAnswer.id == place
    if 200 <= exchange.status < 300:
        body = "" if _is_secret(exchange.scope) else bytes(exchange.body).decode()
        change: Update | Delete = update(IdempotentAnswer).values(
            request_hash=exchange.digest.hexdigest(),
            status=exchange.status,
            headers=exchange.headers,
            body=body,
        )
    else:
        change = delete(IdempotentAnswer)
    with service.database.session() as session:
        session.execute(change.where(this))


async def _again(
    known: IdempotentAnswer, exchange: _Exchange, receive: Receive, send: Send
) -> None:
    while not exchange.is_read:
        exchange.took(cast("HTTPReceiveMessage", await receive()))
    if known.request_hash and exchange.digest.hexdigest() != known.request_hash:
        raise ConflictError(
            "This Idempotency-Key was used for another request.", hint="Send a new one."
        )
    if _is_secret(exchange.scope):
        raise ConflictError(
            "This was done already, and its answer is shown once.", hint="Rotate the key."
        )
    headers = {**known.headers, "idempotent-replay": "true"}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    start = {"type": "http.response.start", "status": known.status, "headers": pairs}
    await send(start)  # type: ignore[arg-type]
    body = {"type": "http.response.body", "body": known.body.encode(), "more_body": False}
    await send(body)  # type: ignore[arg-type]
