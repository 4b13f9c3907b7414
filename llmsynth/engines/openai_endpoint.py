"""The engine across a network: any OpenAI-compatible server that knows `structured_outputs`.

Rows are asked for one by one, many at a time, and come out as they arrive. When the server stops
answering, the rows that came are kept and the others say why they did not.
"""

from __future__ import annotations

import hashlib
import math
import queue
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import anyio
import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

from llmsynth.engines.adapter import Adapter
from llmsynth.engines.endpoint_call import BUSY, Endpoint, RefusedError
from llmsynth.engines.endpoint_settings import EndpointSettings
from llmsynth.engines.engine import FinishedRow, RowRequest
from llmsynth.engines.row_length import most_new_tokens
from llmsynth.engines.served_rows import closed_row, ended_for, row_seed, served_pattern
from llmsynth.engines.stop_reason import StopReason
from llmsynth.engines.vllm_adapters import ResidentAdapters
from llmsynth.errors import EngineError, SettingsError


@dataclass(eq=False)
class _Drawing:
    """One request while its rows are being asked for."""

    request: RowRequest
    model: str
    max_tokens: int
    outbox: queue.SimpleQueue[FinishedRow | None] = field(default_factory=queue.SimpleQueue)
    missing: dict[int, None] = field(default_factory=dict)
    """Places whose rows have not come."""
    num_whole: int = 0
    last_answer: float = -math.inf
    """When a row last came, in seconds of the monotonic clock."""
    error: EngineError | None = None
    """Why the rest was given up."""

    def close(self, row: FinishedRow) -> None:
        del self.missing[row.number - self.request.settings.first_row]
        self.num_whole += row.is_whole
        self.outbox.put(row)


class OpenAIEndpoint:
    """Draws rows from a server; nothing is sent before the first request.

    A server can be told to load an adapter from any path it can read, so vLLM only obeys with
    VLLM_ALLOW_RUNTIME_LORA_UPDATING=1, and such a server belongs on a loopback address.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self._settings = settings
        self._context = start_blocking_portal()
        self._portal: BlockingPortal | None = self._context.__enter__()
        self._client = self._portal.call(self._opened)
        self._endpoint = Endpoint(settings, self._client)
        self._served: tuple[str, int] | None = None
        self._names: dict[int, str] = {}
        self._adapters = ResidentAdapters(settings.max_adapters, self._unload)

    @property
    def name(self) -> str:
        """What it is and where it runs."""
        return f"openai ({self._settings.base_url})"

    @property
    def context_length(self) -> int:
        """Most tokens of prompt and row together, as the server says."""
        return self._model_there()[1]

    def rows(self, request: RowRequest) -> Iterator[FinishedRow]:
        """Every row of the request once, as they arrive; see `RowEngine.rows`."""
        model, context_length = self._model_there()
        max_tokens = most_new_tokens(request, context_length)
        adapter_number = 0
        if request.adapter is not None:
            adapter_number = self._adapters.take(request.adapter)
        try:
            if request.adapter is not None:
                model = self._loaded(adapter_number, request.adapter)
            places = dict.fromkeys(range(len(request.prefix_ids)))
            drawing = _Drawing(request, model, max_tokens, missing=places)
            yield from self._streamed(drawing)
        finally:
            self._adapters.release(adapter_number)

    def close(self) -> None:
        """Close the connections."""
        if self._portal is not None:
            self._portal.call(self._client.aclose)
            self._portal = None
            self._context.__exit__(None, None, None)

    async def _opened(self) -> httpx.AsyncClient:
        asked = self._settings
        headers = {"Authorization": f"Bearer {asked.api_key}"} if asked.api_key else {}
        return httpx.AsyncClient(
            base_url=asked.base_url.rstrip("/"),
            headers=headers,
            timeout=httpx.Timeout(
                asked.row_timeout_seconds, connect=asked.connect_timeout_seconds, pool=None
            ),
            limits=httpx.Limits(max_connections=asked.rows_at_once),
        )

    def _running(self) -> BlockingPortal:
        if self._portal is None:
            raise EngineError("The endpoint has been closed.", hint="Make a new one.")
        return self._portal

    def _model_there(self) -> tuple[str, int]:
        """The model's name and context length."""
        if self._served is None:
            answer = self._running().call(self._endpoint.get, "/models")
            self._served = _chosen(answer, self._settings)
        return self._served

    def _loaded(self, number: int, adapter: Adapter) -> str:
        """Load the adapter unless the server has it; what the server calls it."""
        # Another text for other weights: a name that is taken already then holds the same ones.
        digest = hashlib.blake2b(adapter.version().encode(), digest_size=8).hexdigest()
        name = f"{adapter.name}-{digest}"
        if self._names.get(number) != name:
            body = {"lora_name": name, "lora_path": str(adapter.path.resolve())}
            try:
                # vLLM answers 500 to an adapter that it cannot read, and always will.
                self._running().call(
                    self._endpoint.post, "/load_lora_adapter", body, None, BUSY - {500}
                )
            except RefusedError as error:
                if "already" not in error.message:
                    raise SettingsError(
                        f"Adapter {adapter.name!r} was refused: {error.message}",
                        hint="Start the server with --enable-lora and "
                        "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1; it must be able to read the folder.",
                    ) from error
            self._names[number] = name
        return name

    def _unload(self, number: int) -> None:
        name = self._names.pop(number, None)
        if name is not None:
            body = {"lora_name": name}
            self._running().call(self._endpoint.post, "/unload_lora_adapter", body)

    def _streamed(self, drawing: _Drawing) -> Iterator[FinishedRow]:
        running = self._running().start_task_soon(self._draw, drawing)
        try:
            while (row := drawing.outbox.get()) is not None:
                yield row
        finally:
            running.cancel()
        if drawing.error is not None and not drawing.num_whole:
            raise drawing.error

    async def _draw(self, drawing: _Drawing) -> None:
        seconds = drawing.request.settings.max_seconds
        places = iter(list(drawing.missing))
        try:
            with anyio.move_on_after(seconds):
                async with anyio.create_task_group() as group:
                    for _ in range(self._settings.rows_at_once):
                        group.start_soon(self._work, drawing, places, group.cancel_scope)
            self._close_rest(drawing)
        finally:
            drawing.outbox.put(None)

    async def _work(
        self, drawing: _Drawing, places: Iterator[int], scope: anyio.CancelScope
    ) -> None:
        for place in places:
            started = time.monotonic()
            try:
                row = await self._row(drawing, place)
            except EngineError as error:
                if isinstance(error, RefusedError) or drawing.last_answer < started:
                    # Nobody was answered meanwhile: the server is down, and waiting is over.
                    drawing.error = error
                    scope.cancel()
                    return
                failed = StopReason.ENGINE_FAILED
                row = closed_row(drawing.request, place, [], failed, problem=str(error))
            else:
                drawing.last_answer = time.monotonic()
            drawing.close(row)

    async def _row(self, drawing: _Drawing, place: int) -> FinishedRow:
        request, asked = drawing.request, drawing.request.settings
        body: dict[str, object] = {
            "model": drawing.model,
            "prompt": [*map(int, request.prompt_ids), *map(int, request.prefix_ids[place])],
            "max_tokens": drawing.max_tokens,
            "temperature": asked.temperature,
            "top_p": asked.top_p,
            "seed": row_seed(asked.seed, asked.first_row + place),
            "structured_outputs": {"regex": served_pattern(request)},
            "return_token_ids": True,
        }
        answer = await self._endpoint.post("/completions", body, _given_up)
        choice = _choice(answer)
        drawn = choice.get("token_ids")
        if not isinstance(drawn, list):
            raise RefusedError(
                f"{self._settings.base_url} does not return token ids.",
                hint="Use a server that knows `return_token_ids`, such as vLLM.",
            )
        is_cut = choice.get("finish_reason") == "length"
        reason = ended_for(request, len(drawn)) if is_cut else StopReason.FINISHED
        return closed_row(request, place, drawn, reason)

    def _close_rest(self, drawing: _Drawing) -> None:
        reason, problem = StopReason.MAX_SECONDS, ""
        if drawing.error is not None:
            reason, problem = StopReason.ENGINE_FAILED, str(drawing.error)
        for place in list(drawing.missing):
            drawing.close(closed_row(drawing.request, place, [], reason, problem=problem))


def _chosen(answer: Mapping[str, object], settings: EndpointSettings) -> tuple[str, int]:
    listed = answer.get("data")
    models = [m for m in listed if isinstance(m, dict)] if isinstance(listed, list) else []
    names = [str(m.get("id")) for m in models]
    own = [m for m in models if not m.get("parent")]  # those with a parent are adapters
    found = next((m for m in own if settings.model in (None, m.get("id"))), None)
    if found is None:
        raise SettingsError(
            f"Expected the model {settings.model!r} at {settings.base_url}, which serves {names}."
        )
    wanted = str(found.get("id"))
    length = settings.context_length or found.get("max_model_len")
    if not isinstance(length, int):
        raise SettingsError(
            f"{settings.base_url} does not say how long a context {wanted!r} has.",
            hint="Set context_length.",
        )
    return wanted, length


def _choice(answer: Mapping[str, object]) -> Mapping[str, object]:
    choices: object = answer.get("choices")
    if isinstance(choices, Sequence) and choices and isinstance(choices[0], dict):
        return choices[0]
    return {}


def _given_up(answer: Mapping[str, object]) -> str:
    """What is wrong with an answer that may be right the next time."""
    reason = _choice(answer).get("finish_reason")
    return "" if reason in ("stop", "length") else f"it gave the row up (finish reason {reason!r})"
