"""One call to a model server: bounded retries with backoff, and what its answers mean."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import anyio
import httpx

from llmsynth.engines.endpoint_settings import EndpointSettings
from llmsynth.errors import EngineError

BUSY = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Answers after which the same call may succeed."""
_LONGEST_PAUSE = 30.0


class RefusedError(EngineError):
    """The server answered that this call can never succeed."""

    retryable = False


class Endpoint:
    """An open connection pool to one server."""

    def __init__(self, settings: EndpointSettings, client: httpx.AsyncClient) -> None:
        self._settings, self._client = settings, client

    async def get(self, path: str) -> Mapping[str, object]:
        """What the server answers to GET; see `post`."""
        return await self._repeated("GET", path, None, _no_check, BUSY)

    async def post(
        self,
        path: str,
        body: Mapping[str, object],
        check: Callable[[Mapping[str, object]], str] | None = None,
        busy: frozenset[int] = BUSY,
    ) -> Mapping[str, object]:
        """What the server answers, an object of JSON.

        Args:
            check: what is wrong with an answer that is worth another attempt; "" for nothing.
            busy: answers after which the call is tried again.

        Raises:
            RefusedError: it never will.
            EngineError: it did not within the attempts; the message says why.
        """
        return await self._repeated("POST", path, body, check or _no_check, busy)

    async def _repeated(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
        check: Callable[[Mapping[str, object]], str],
        busy: frozenset[int],
    ) -> Mapping[str, object]:
        problem = ""
        for attempt in range(self._settings.attempts):
            if attempt:
                await anyio.sleep(self._pause(attempt))
            try:
                response = await self._client.request(method, path, json=body)
            except httpx.TimeoutException as error:
                problem = f"no answer in time ({type(error).__name__})"
                continue
            except httpx.HTTPError as error:
                problem = f"{type(error).__name__}: {error}"
                continue
            if response.status_code in busy:
                problem = f"it answered {response.status_code}: {response.text[:200]}"
                continue
            answer = _object(response)
            problem = check(answer)
            if not problem:
                return answer
        raise EngineError(
            f"{self._settings.base_url}: {problem}, {self._settings.attempts} times.",
            hint="Is the server up? Raise row_timeout_seconds if it is only slow.",
        )

    def _pause(self, attempt: int) -> float:
        """Twice as long each time, and by chance, so that clients do not return all at once."""
        pause = self._settings.first_pause_seconds * 2 ** (attempt - 1)
        return float(min(pause * (1 + random.random()), _LONGEST_PAUSE))


def _no_check(_: Mapping[str, object]) -> str:
    return ""


def _object(response: httpx.Response) -> Mapping[str, object]:
    if response.is_error:
        hint = {401: "Give an api_key.", 403: "Give an api_key that may use this model."}
        raise RefusedError(
            f"{response.url}: {response.status_code}: {response.text[:500]}",
            hint=hint.get(response.status_code, "Compare the request with what the server serves."),
        )
    if not response.headers.get("content-type", "").startswith("application/json"):
        return {}
    try:
        answer = response.json()
    except ValueError as error:
        raise RefusedError(
            f"{response.url}: expected JSON, got {response.text[:200]!r}."
        ) from error
    return answer if isinstance(answer, dict) else {}
