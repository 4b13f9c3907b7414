"""Calls to a service that survive lost connections, busy moments and broken transfers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec

from llmsynth.errors import LlmsynthError
from llmsynth_serving.api.documents import Listing

T = TypeVar("T")
ATTEMPTS = 6
"""Tries of a call that met a lost connection or a busy service."""
PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 20.0
BUSY = (409, 429, 502, 503, 504)
"""Statuses worth another try, 409 only where the answer says when."""


class ServiceError(LlmsynthError):
    """The service refused a call, or could not be reached.

    Args:
        status: of the answer; None where there was none.
    """

    def __init__(self, message: str, *, status: int | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class Connection:
    """One service and one key. Every POST has an idempotency key, so trying again does no harm.

    Args:
        timeout_seconds: longest silence of the service before a try is given up.
        transport: in place of the network.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout_seconds: float,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=timeout_seconds,
            transport=transport,
        )

    def close(self) -> None:
        """Give back the connection."""
        self._http.close()

    def get(self, path: str, kind: type[T]) -> T:
        """A document."""
        return msgspec.convert(self._answer("GET", path).json(), kind)

    def post(
        self,
        path: str,
        kind: type[T],
        *,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        file: str | Path | bytes | None = None,
    ) -> T:
        """The document that an act gives."""
        options = {"json": json, "params": params}
        return msgspec.convert(self._answer("POST", path, file=file, **options).json(), kind)

    def put(self, path: str, kind: type[T], *, json: Mapping[str, Any]) -> T:
        """The document after its change."""
        return msgspec.convert(self._answer("PUT", path, json=json).json(), kind)

    def ask(self, path: str, json: Mapping[str, Any]) -> tuple[int, Any]:
        """Status and content of an act whose answer has more than one shape."""
        answer = self._answer("POST", path, json=json)
        return answer.status_code, answer.json()

    def delete(self, path: str) -> None:
        """Remove an object."""
        self._answer("DELETE", path)

    def pages(self, path: str, kind: type[Listing[T]]) -> Iterator[T]:
        """All items of a list, page after page."""
        cursor: str | None = None
        while True:
            query = {"cursor": cursor} if cursor else None
            page = msgspec.convert(self._answer("GET", path, params=query).json(), kind)
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def events(self, path: str) -> Iterator[str]:
        """The data of server-sent events; a stream that ends or breaks is opened again.

        The caller stops when it has seen enough.
        """
        failures = 0
        while True:
            try:
                with self._http.stream("GET", path) as answer:
                    _check(answer)
                    for line in answer.iter_lines():
                        if line.startswith("data: "):
                            failures = 0
                            yield line.removeprefix("data: ")
            except (httpx.TransportError, ServiceError) as error:
                failures += 1
                _give_up_or_pause(error, failures)

    def save(self, path: str, target: Path) -> None:
        """Write an answer's bytes to a file that is whole or not there."""
        hidden = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.partial")
        transfer = _Transfer(self._http, path, hidden)
        try:
            _tried(transfer.go_on)
            hidden.replace(target)
        finally:
            hidden.unlink(missing_ok=True)

    def _answer(
        self, method: str, path: str, *, file: str | Path | bytes | None = None, **options: Any
    ) -> httpx.Response:
        headers = {"Idempotency-Key": uuid.uuid4().hex} if method == "POST" else {}

        def send() -> httpx.Response:
            with ExitStack() as stack:
                content = (
                    file
                    if file is None or isinstance(file, bytes)
                    else stack.enter_context(Path(file).open("rb"))
                )
                answer = self._http.request(
                    method, path, headers=headers, content=content, **options
                )
                _check(answer)
                return answer

        return _tried(send)


class _Transfer:
    """One file on its way; after a break it goes on where it was, if it is still the same file."""

    def __init__(self, http: httpx.Client, path: str, target: Path) -> None:
        self._http, self._path, self._target = http, path, target
        self._tag: str | None = None

    def go_on(self) -> None:
        done = self._target.stat().st_size if self._tag and self._target.exists() else 0
        headers = {"Range": f"bytes={done}-", "If-Range": self._tag} if done and self._tag else {}
        with self._http.stream("GET", self._path, headers=headers) as answer:
            _check(answer)
            self._tag = answer.headers.get("etag")
            is_rest = answer.status_code == httpx.codes.PARTIAL_CONTENT
            with self._target.open("ab" if is_rest else "wb") as file:
                for block in answer.iter_bytes():
                    file.write(block)


def _tried(send: Callable[[], T]) -> T:
    attempt = 0
    while True:
        attempt += 1
        try:
            return send()
        except (httpx.TransportError, ServiceError) as error:
            _give_up_or_pause(error, attempt)


def _give_up_or_pause(error: httpx.TransportError | ServiceError, attempt: int) -> None:
    if isinstance(error, ServiceError) and not error.retryable:
        raise error
    if attempt >= ATTEMPTS:
        if isinstance(error, ServiceError):
            raise error
        raise ServiceError(
            f"The service cannot be reached: {error}.", hint="Is it running, and at this address?"
        ) from error
    time.sleep(min(PAUSE_SECONDS * 2 ** (attempt - 1), LONGEST_PAUSE_SECONDS))


def _check(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    answer.read()
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    detail = problem.get("detail") or answer.reason_phrase
    errors = "; ".join(f"{e.get('key', '')}: {e.get('message')}" for e in problem.get("errors", []))
    error = ServiceError(
        f"{detail} {errors}".strip(), status=answer.status_code, hint=problem.get("hint") or ""
    )
    error.retryable = answer.status_code in BUSY and (
        answer.status_code != httpx.codes.CONFLICT or "retry-after" in answer.headers
    )
    raise error
