"""The engine in this process: any transformers causal LM, masked by the row language itself."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from safetensors import SafetensorError

from llmsynth.engines.adapter import Adapter
from llmsynth.engines.cached_decoding import CausalModel
from llmsynth.engines.causal_lm import DecodingSettings, sample_rows
from llmsynth.engines.copy_guard import CopyGuard
from llmsynth.engines.engine import FinishedRow, RowRequest, SamplingSettings
from llmsynth.engines.generated_rows import GeneratedRows
from llmsynth.engines.row_length import most_new_tokens
from llmsynth.engines.stop_reason import StopReason
from llmsynth.errors import SettingsError

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

_GREEDY_TOP_P = 1e-9
"""Leaves only the likeliest token, while the removed mass is still that of temperature 1."""


class LocalEngine:
    """Draws rows in batches; a batch's rows come out together.

    A model that is already wrapped by peft is taken as it is: its own adapter is the base model.

    Args:
        guard: keeps long spans of the training texts out of the rows.
    """

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        *,
        batch_size: int = 256,
        guard: CopyGuard | None = None,
    ) -> None:
        if batch_size < 1:
            raise SettingsError(f"batch_size: expected at least 1, got {batch_size}.")
        self._model, self._batch_size, self._guard = model, batch_size, guard
        self._adapters = _Adapters(model)

    @property
    def name(self) -> str:
        """What it is and where it runs."""
        return f"local ({self._model.device.type})"

    @property
    def context_length(self) -> int:
        """Most tokens of prompt and row together."""
        return int(getattr(self._model.config, "max_position_embeddings", None) or 1 << 30)

    def rows(self, request: RowRequest) -> Iterator[FinishedRow]:
        """Every row of the request once, batch by batch; see `RowEngine.rows`."""
        deadline = time.monotonic() + (request.settings.max_seconds or math.inf)
        for first in range(0, len(request.prefix_ids), self._batch_size):
            prefixes = request.prefix_ids[first : first + self._batch_size]
            left = deadline - time.monotonic()
            with self._adapters.switched_to(request.adapter) as model:
                drawn = sample_rows(
                    model,
                    request.automaton,
                    prefix_ids=prefixes,
                    prompt_ids=request.prompt_ids,
                    settings=self._decoding(request, first, left),
                    guard=self._guard,
                )
            yield from _finished(drawn, request, request.settings.first_row + first)

    def close(self) -> None:
        """Nothing to let go of: the model is the caller's."""

    def _decoding(self, request: RowRequest, first: int, seconds: float) -> DecodingSettings:
        asked: SamplingSettings = request.settings
        greedy = asked.temperature == 0
        return DecodingSettings(
            seed=asked.seed,
            temperature=1.0 if greedy else asked.temperature,
            top_p=_GREEDY_TOP_P if greedy else asked.top_p,
            max_new_tokens=most_new_tokens(request, self.context_length),
            batch_size=self._batch_size,
            max_seconds=None if math.isinf(seconds) else max(seconds, 1e-9),
            first_row=asked.first_row + first,
        )


class _Adapters:
    """The model with at most one adapter put on it; the last one stays until another is wanted."""

    def __init__(self, model: PreTrainedModel | PeftModel) -> None:
        self._model = model
        self._wrapped: PeftModel | None = None
        self._version = ""
        self._count = 0

    @contextmanager
    def switched_to(self, adapter: Adapter | None) -> Iterator[CausalModel]:
        """The model under this adapter, or without any."""
        if adapter is not None:
            yield self._under(adapter)
        elif self._wrapped is None:
            yield self._model
        else:
            with self._wrapped.disable_adapter():
                yield self._wrapped

    def _under(self, adapter: Adapter) -> PeftModel:
        version = adapter.version()
        if self._wrapped is None or version != self._version:
            self._put_on(adapter)
            self._version = version
        assert self._wrapped is not None
        return self._wrapped

    def _put_on(self, adapter: Adapter) -> None:
        previous, self._count = f"adapter{self._count}", self._count + 1
        name = f"adapter{self._count}"
        # Loading peft takes seconds, which tables without an adapter need not wait for.
        from peft import PeftModel

        try:
            if self._wrapped is None:
                self._wrapped = PeftModel.from_pretrained(
                    self._bare(), str(adapter.path), adapter_name=name
                )
                return
            self._wrapped.load_adapter(str(adapter.path), adapter_name=name)
        except (ValueError, RuntimeError, KeyError, SafetensorError) as error:
            raise SettingsError(
                f"Adapter {adapter.name!r} in {adapter.path} does not fit the model: {error}",
                hint="Use the model the adapter was trained on.",
            ) from error
        self._wrapped.set_adapter(name)
        self._wrapped.delete_adapter(previous)

    def _bare(self) -> PreTrainedModel:
        if hasattr(self._model, "peft_config"):
            raise SettingsError("The model has an adapter already; give the engine its base model.")
        return cast("PreTrainedModel", self._model)


def _finished(drawn: GeneratedRows, request: RowRequest, first: int) -> Iterator[FinishedRow]:
    lists = zip(drawn.token_ids.tolist(), drawn.lengths.tolist(), strict=True)
    for place, (ids, length) in enumerate(lists):
        removed = float(drawn.removed_mass[place])
        yield FinishedRow(
            number=first + place,
            token_ids=tuple(ids[:length]),
            text=request.automaton.text(ids[:length]),
            reason=StopReason(int(drawn.reasons[place])),
            removed_mass=None if math.isnan(removed) else removed,
        )
