"""The vLLM engine in this process: one model kept loaded, rows of many requests in one batch.

Rows come out as they finish: no row waits for the longest of its batch. vLLM is imported when the
first engine starts, since it takes seconds and is an extra.
"""

from __future__ import annotations

import gc
import math
import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from llmsynth.engines.engine import FinishedRow, RowRequest
from llmsynth.engines.row_length import most_new_tokens
from llmsynth.engines.served_rows import closed_row, ended_for, row_seed, served_pattern
from llmsynth.engines.stop_reason import StopReason
from llmsynth.engines.vllm_adapters import ResidentAdapters
from llmsynth.engines.vllm_cores import OpenCores
from llmsynth.engines.vllm_settings import VllmSettings
from llmsynth.errors import EngineError, MissingExtraError, SettingsError

_AHEAD = 2
"""Rows handed to vLLM, as a multiple of those it draws at once: it never waits for the next."""


class _Completion(Protocol):
    token_ids: Sequence[int]
    finish_reason: str | None


class _Output(Protocol):
    request_id: str
    finished: bool
    outputs: Sequence[_Completion]


class _Engine(Protocol):
    """What is asked of `vllm.LLMEngine`."""

    def add_request(
        self, request_id: str, prompt: object, params: object, *, lora_request: object
    ) -> str: ...

    def step(self) -> Sequence[_Output]: ...

    def abort_request(self, request_ids: list[str], internal: bool = ...) -> None: ...

    def remove_lora(self, lora_id: int) -> bool: ...


@dataclass(eq=False)
class _Drawing:
    """One request while its rows are being drawn."""

    request: RowRequest
    pattern: str
    max_tokens: int
    lora: object | None
    adapter_number: int
    deadline: float
    next_place: int = 0
    in_flight: dict[str, int] = field(default_factory=dict)
    """Place of each row that vLLM has, by vLLM's name for it."""
    ready: deque[FinishedRow] = field(default_factory=deque)
    num_whole: int = 0

    @property
    def has_more(self) -> bool:
        return self.next_place < len(self.request.prefix_ids)


_CORES = OpenCores()


class VllmEngine:
    """Keeps one vLLM engine alive; requests may be drawn one after the other or together.

    Raises:
        MissingExtraError: vLLM is not installed.
        EngineError: it cannot load the model.
    """

    def __init__(self, settings: VllmSettings) -> None:
        # In this process: one process to start and to end instead of three. No usage reports.
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        try:
            import vllm
        except ImportError as error:
            raise MissingExtraError(
                f"Expected vLLM to be installed ({error}).", hint="pip install 'llmsynth[vllm]'"
            ) from error
        from vllm.platforms import current_platform

        device = str(current_platform.device_type)
        self._settings, self._name = settings, f"vllm {vllm.__version__} ({device})"
        arguments = settings.engine_arguments(has_gpu=device == "cuda")
        try:
            engine = vllm.LLMEngine.from_engine_args(vllm.EngineArgs(**arguments))
        except (ValueError, RuntimeError, OSError) as error:
            raise EngineError(f"vLLM cannot load {settings.model}: {error}") from error
        self._context_length = int(engine.model_config.max_model_len)
        self._engine: _Engine | None = engine
        self._core = engine.engine_core
        _CORES.begin(self._core)
        self._lock = threading.RLock()
        self._drawings: dict[str, _Drawing] = {}
        self._adapters = ResidentAdapters(settings.max_adapters, engine.remove_lora)
        self._counter = 0

    @property
    def name(self) -> str:
        """What it is and where it runs."""
        return self._name

    @property
    def context_length(self) -> int:
        """Most tokens of prompt and row together."""
        return self._context_length

    def rows(self, request: RowRequest) -> Iterator[FinishedRow]:
        """Every row of the request once, as they finish; see `RowEngine.rows`.

        Iterators of several requests may be drawn from in turn, or from several threads.
        """
        with self._lock:
            drawing = self._started(request)
        try:
            while True:
                with self._lock:
                    row = self._next(drawing)
                if row is None:
                    return
                yield row
        finally:
            with self._lock:
                self._give_up(drawing)
                self._adapters.release(drawing.adapter_number)

    def close(self) -> None:
        """End the engine; its memory is free once no other engine of this process is open."""
        with self._lock:
            if self._engine is None:
                return
            self._engine = None
            _CORES.end(self._core)
            del self._core
        gc.collect()

    def _started(self, request: RowRequest) -> _Drawing:
        self._running()
        number, lora = 0, None
        max_tokens = most_new_tokens(request, self._context_length)
        if request.adapter is not None:
            from vllm.lora.request import LoRARequest

            number = self._adapters.take(request.adapter)
            lora = LoRARequest(request.adapter.name, number, str(request.adapter.path))
        return _Drawing(
            request=request,
            pattern=served_pattern(request),
            max_tokens=max_tokens,
            lora=lora,
            adapter_number=number,
            deadline=time.monotonic() + (request.settings.max_seconds or math.inf),
        )

    def _next(self, drawing: _Drawing) -> FinishedRow | None:
        """The next row of this request; rows of others that finish meanwhile wait for them."""
        while not drawing.ready:
            if time.monotonic() >= drawing.deadline:
                self._cut(drawing, StopReason.MAX_SECONDS)
                continue
            try:
                self._fill(drawing)
                if not drawing.in_flight:
                    return None
                self._step()
            except SettingsError:
                raise
            except (RuntimeError, ValueError, MemoryError) as error:
                self._fail(drawing, error)
        return drawing.ready.popleft()

    def _fill(self, drawing: _Drawing) -> None:
        most = _AHEAD * self._settings.max_rows_at_once
        while drawing.has_more and len(drawing.in_flight) < most:
            place, drawing.next_place = drawing.next_place, drawing.next_place + 1
            self._add(drawing, place)

    def _add(self, drawing: _Drawing, place: int) -> None:
        request = drawing.request
        self._counter += 1
        prompt = [*request.prompt_ids, *map(int, request.prefix_ids[place])]
        name = self._running().add_request(
            str(self._counter),
            {"prompt_token_ids": prompt},
            self._parameters(drawing, place),
            lora_request=drawing.lora,
        )
        # vLLM tells finished rows by the name it was given, and aborts by its own.
        drawing.in_flight[str(self._counter)] = place
        self._drawings[str(self._counter)] = drawing
        assert name

    def _parameters(self, drawing: _Drawing, place: int) -> object:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        asked = drawing.request.settings
        return SamplingParams(
            temperature=asked.temperature,
            top_p=asked.top_p,
            seed=row_seed(asked.seed, asked.first_row + place),
            max_tokens=drawing.max_tokens,
            stop_token_ids=[drawing.request.automaton.eos_token_id],
            structured_outputs=StructuredOutputsParams(regex=drawing.pattern),
            output_kind=RequestOutputKind.FINAL_ONLY,
            detokenize=False,
        )

    def _step(self) -> None:
        for output in self._running().step():
            if not output.finished:
                continue
            drawing = self._drawings.pop(output.request_id, None)
            if drawing is not None:
                self._finish(drawing, drawing.in_flight.pop(output.request_id), output.outputs[0])

    def _finish(self, drawing: _Drawing, place: int, completion: _Completion) -> None:
        reason, problem = StopReason.FINISHED, ""
        if completion.finish_reason == "length":
            reason = ended_for(drawing.request, len(completion.token_ids))
        elif completion.finish_reason != "stop":
            reason = StopReason.ENGINE_FAILED
            problem = f"vLLM gave the row up ({completion.finish_reason})."
        row = closed_row(drawing.request, place, completion.token_ids, reason, problem=problem)
        drawing.num_whole += row.is_whole
        drawing.ready.append(row)

    def _cut(self, drawing: _Drawing, reason: StopReason, problem: str = "") -> None:
        """End every row that is still wanted."""
        count = len(drawing.request.prefix_ids)
        places = [*drawing.in_flight.values(), *range(drawing.next_place, count)]
        self._give_up(drawing)
        drawing.next_place, drawing.deadline = count, math.inf
        drawing.ready.extend(
            closed_row(drawing.request, place, [], reason, problem=problem) for place in places
        )

    def _give_up(self, drawing: _Drawing) -> None:
        names = list(drawing.in_flight)
        for name in names:
            self._drawings.pop(name, None)
        drawing.in_flight.clear()
        if names and self._engine is not None:
            self._engine.abort_request(names)

    def _fail(self, drawing: _Drawing, error: Exception) -> None:
        """Keep what is whole, and say what happened to the rest."""
        problem = f"vLLM failed: {type(error).__name__}: {error}"
        is_first = not drawing.num_whole
        self._cut(drawing, StopReason.ENGINE_FAILED, problem)
        if is_first:
            raise EngineError(problem, hint=_hint(error)) from error

    def _running(self) -> _Engine:
        if self._engine is None:
            raise EngineError("The vLLM engine has been closed.", hint="Start a new one.")
        return self._engine


def _hint(error: Exception) -> str:
    if "memory" in str(error).lower():
        return "Lower max_rows_at_once or cache_bytes."
    return "Look at the model's folder and the adapter: were they made for each other?"
