"""Draws rows from an ordinary causal language model, held to a row language by its automaton.

Masking each token by what may follow is not the same as drawing from the model and keeping the
valid rows: it moves probability to beginnings that have few valid endings. `GeneratedRows` tells
how much the mask removed, so that a badly trained model cannot hide behind it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from llmsynth.codec.token_automaton import TokenAutomaton
from llmsynth.engines.cached_decoding import CachedDecoding, CausalModel
from llmsynth.engines.copy_guard import CopyGuard
from llmsynth.engines.generated_rows import GeneratedRows, RowRecorder
from llmsynth.engines.grouped_attention import grouped_attention
from llmsynth.engines.masked_draw import MaskedDraw, draw_masked
from llmsynth.engines.memory_shortage import free_cached_memory, is_out_of_memory
from llmsynth.engines.random_draws import uniforms
from llmsynth.engines.stop_reason import StopReason
from llmsynth.engines.tensor_automaton import TensorAutomaton
from llmsynth.errors import ConditionError, OutOfMemoryError, SettingsError

_SECOND_DRAW = 1 << 32
"""Steps of second draws lie this far from the first ones', so that they get fresh numbers."""
_EMPTIEST = 0.75
"""A batch is compacted once fewer than this share of its rows are unfinished."""


@dataclass(frozen=True, kw_only=True)
class DecodingSettings:
    """How rows are drawn, and when to stop."""

    seed: int
    """Rows depend on it and on their numbers, not on the batch they are drawn in."""
    temperature: float = 1.0
    """Logits are divided by it; 1 draws from the model as it is."""
    top_p: float = 1.0
    """Keep the likeliest allowed tokens that together reach this share."""
    max_new_tokens: int = 512
    """Most tokens drawn per row; a row that is not whole by then comes back unfinished."""
    batch_size: int = 256
    """Rows decoded together."""
    max_seconds: float | None = None
    """Most seconds for all rows together; None for no limit."""
    first_row: int = 0
    """Number of the first row, so that a second call can go on where the first one stopped."""

    def __post_init__(self) -> None:
        """Raise SettingsError for a value out of range."""
        checks = {
            "temperature": (self.temperature > 0, "a number above 0"),
            "top_p": (0 < self.top_p <= 1, "a number above 0 and at most 1"),
            "max_new_tokens": (self.max_new_tokens >= 1, "at least 1"),
            "batch_size": (self.batch_size >= 1, "at least 1"),
            "max_seconds": (self.max_seconds is None or self.max_seconds > 0, "above 0 or None"),
            "first_row": (self.first_row >= 0, "at least 0"),
        }
        for name, (holds, expected) in checks.items():
            if not holds:
                raise SettingsError(f"{name}: expected {expected}, got {getattr(self, name)}.")


def sample_rows(
    model: CausalModel,
    automaton: TokenAutomaton,
    *,
    prefix_ids: Sequence[Sequence[int]] | Tensor,
    prompt_ids: Sequence[int] = (),
    settings: DecodingSettings,
    guard: CopyGuard | None = None,
) -> GeneratedRows:
    """Draw one row per prefix; where memory falls short, in smaller and smaller batches.

    A given (seed, row number, model, prefix) gives one row whatever the batch size, up to the
    rounding of the model's own arithmetic, which may differ by about 1e-7 between batch sizes.

    Args:
        model: any transformers causal LM with a key-value cache, adapters included. Put into
            evaluation mode while drawing.
        prefix_ids: for each row the tokens it begins with, possibly none; one list per row, or
            int64 (n, p).
        prompt_ids: tokens the model reads first and the row language knows nothing of, the same
            for all rows: the beginning-of-text token, instructions, examples.
        guard: keeps long spans of the training texts out of the rows; counts what it did.

    Raises:
        ConditionError: a prefix that no row begins with; the message names the row.
        SettingsError: nothing to start from, a prompt longer than the model's context, or a
            model and tokenizer that do not belong together.
        SamplingError: the model gave something other than finite numbers.
        OutOfMemoryError: not even one row at a time fits the device.
    """
    prefixes: list[list[int]] = (
        prefix_ids.tolist()
        if isinstance(prefix_ids, Tensor)
        else [list(prefix) for prefix in prefix_ids]
    )
    if not prefixes:
        raise SettingsError("Expected at least one prefix, as many as rows are wanted; got none.")
    states = torch.tensor(_states_after(automaton, prefixes), device=model.device)
    tensors = TensorAutomaton.on(model.device, automaton)
    deadline = time.monotonic() + (settings.max_seconds or math.inf)
    parts: list[GeneratedRows] = []
    first, size = 0, settings.batch_size
    with _evaluating(model):
        while first < len(prefixes):
            chosen = slice(first, first + size)
            try:
                batch = _Batch(
                    CachedDecoding(model=model, prompt=prompt_ids, prefixes=prefixes[chosen]),
                    tensors,
                    prefixes=prefixes[chosen],
                    states=states[chosen].clone(),
                    settings=replace(settings, first_row=settings.first_row + first),
                    guard=guard,
                )
                parts.append(batch.run(deadline))
            except (RuntimeError, MemoryError) as error:
                size = _halved(min(size, len(prefixes) - first), error)
                continue
            first += size
    return GeneratedRows.joined(parts)


def _halved(size: int, error: RuntimeError | MemoryError) -> int:
    if not is_out_of_memory(error):
        raise error
    if size == 1:
        raise OutOfMemoryError(
            f"Drawing one row at a time does not fit the memory: {str(error).splitlines()[0]}"
        ) from error
    free_cached_memory()
    return size // 2


@contextmanager
def _evaluating(model: CausalModel) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode(), grouped_attention(model):
            yield
    finally:
        model.train(was_training)


def _states_after(automaton: TokenAutomaton, prefixes: Sequence[Sequence[int]]) -> list[int]:
    """Walk every distinct prefix once."""
    known: dict[tuple[int, ...], int] = {}
    for row, prefix in enumerate(map(tuple, prefixes)):
        if prefix in known:
            continue
        try:
            known[prefix] = automaton.walk(prefix)
        except ConditionError as error:
            raise ConditionError(f"Prefix of row {row + 1}: {error.message}") from error
    return [known[tuple(prefix)] for prefix in prefixes]


class _Batch:
    """Rows decoded together; every tensor below has one entry per row, finished or not."""

    def __init__(
        self,
        decoding: CachedDecoding,
        automaton: TensorAutomaton,
        *,
        prefixes: Sequence[Sequence[int]],
        states: Tensor,
        settings: DecodingSettings,
        guard: CopyGuard | None,
    ) -> None:
        self._decoding, self._automaton, self._settings = decoding, automaton, settings
        self._watched = None if guard is None else guard.watching(prefixes)
        self._states = states
        self._rows = torch.arange(len(prefixes), device=states.device)
        self._max_steps = min(settings.max_new_tokens, decoding.room)
        self._recorder = RowRecorder(prefixes, max_steps=self._max_steps, device=states.device)

    def run(self, deadline: float) -> GeneratedRows:
        """Draw until every row is whole or a bound is reached.

        Args:
            deadline: seconds on the monotonic clock.
        """
        reasons = self._recorder.reasons
        reasons[self._automaton.ended[self._states]] = StopReason.FINISHED
        unfinished = self._unfinished(self._rows)
        reason = StopReason.MAX_NEW_TOKENS
        if self._max_steps < self._settings.max_new_tokens:
            reason = StopReason.CONTEXT_LENGTH
        for step in range(self._max_steps):
            if not len(unfinished):
                break
            if time.monotonic() >= deadline:
                reason = StopReason.MAX_SECONDS
                break
            unfinished = self._step(step, unfinished)
        reasons[unfinished] = reason
        return self._recorder.closed()

    def _step(self, step: int, rows: Tensor) -> Tensor:
        """Draw one token for each of the rows; returns those still unfinished."""
        if len(rows) < _EMPTIEST * self._decoding.num_rows:
            self._decoding.keep(rows)
        logits = self._decoding.next_logits(rows)
        draw = self._draw(logits, rows, step)
        states = self._automaton.advance(self._states[rows], draw.tokens)
        self._states[rows] = states
        is_text = draw.tokens != self._automaton.eos_token_id
        self._recorder.record(step, rows, draw, is_text=is_text)
        self._recorder.reasons[rows[self._automaton.ended[states]]] = StopReason.FINISHED
        self._decoding.write(rows, draw.tokens)
        return self._unfinished(rows)

    def _draw(self, logits: Tensor, rows: Tensor, step: int) -> MaskedDraw:
        settings, states = self._settings, self._states[rows]
        numbers = settings.first_row + rows
        draw = draw_masked(
            logits,
            states,
            self._automaton,
            uniforms(settings.seed, numbers, step),
            temperature=settings.temperature,
            top_p=settings.top_p,
        )
        if self._watched is None:
            return draw
        return self._watched.checked(
            rows,
            draw,
            logits=logits,
            states=states,
            automaton=self._automaton,
            draws=uniforms(settings.seed, numbers, step + _SECOND_DRAW),
            temperature=settings.temperature,
            top_p=settings.top_p,
        )

    def _unfinished(self, rows: Tensor) -> Tensor:
        return rows[self._recorder.reasons[rows] == StopReason.RUNNING]
