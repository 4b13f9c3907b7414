"""One transformers model reading many rows at once: key-value cache, padding, dropped rows."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from llmsynth.engines.growing_cache import with_room
from llmsynth.engines.shared_prompt import SharedPrompt, attending_to_it, can_share
from llmsynth.errors import SettingsError


class CacheLayer(Protocol):
    """Keys and values of one layer: floating (rows, heads, tokens, head size)."""

    keys: Tensor
    values: Tensor


class KeyValueCache(Protocol):
    """What a transformers cache can do with its rows."""

    layers: Sequence[CacheLayer]

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep only these rows."""

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeat each row."""


class CausalOutput(Protocol):
    """What a causal language model returns."""

    logits: Tensor
    past_key_values: KeyValueCache | None


class CausalModel(Protocol):
    """What is asked of a causal language model; every transformers one has it."""

    training: bool

    @property
    def device(self) -> torch.device:
        """Where its inputs have to be."""

    def eval(self) -> object:
        """Switch dropout off."""

    def train(self, mode: bool = ..., /) -> object:
        """Switch dropout on or off."""

    def __call__(self, **inputs: object) -> CausalOutput:
        """Read tokens."""


class CachedDecoding:
    """The rows a model is reading; a shared prompt is read once for all of them.

    Rows are named by their place in `prefixes`, also after others have been dropped.
    """

    def __init__(
        self, *, model: CausalModel, prompt: Sequence[int], prefixes: Sequence[Sequence[int]]
    ) -> None:
        self._model = model
        self._options = _options(model)
        self._cache: KeyValueCache | None = None
        self._rows = torch.arange(len(prefixes), device=model.device)
        # The prompt's last token goes with the rows: even those without a prefix then have one.
        self._shared = list(prompt[:-1])
        tails = [[*prompt[-1:], *prefix] for prefix in prefixes]
        if not all(tails):
            raise SettingsError(
                "Expected at least one token to start from: neither prompt nor prefix has any.",
                hint="Give the beginning-of-text or end-of-text token as prompt_ids.",
            )
        self._tokens, read = _left_padded(tails, model.device)
        self._positions = (read.cumsum(dim=1) - 1).clamp(min=0) + len(self._shared)
        self._prompt: SharedPrompt | None = None
        self._config = getattr(model, "config", None)
        self._keeps_prompt_once = can_share(self._config)
        # The mask of a prompt that is kept once is the prompt's own affair.
        width = 0 if self._keeps_prompt_once else len(self._shared)
        self._read = torch.nn.functional.pad(read, (width, 0), value=1)

    @property
    def num_rows(self) -> int:
        """Rows still being read, those that only wait to be dropped included."""
        return len(self._rows)

    @property
    def room(self) -> int:
        """How many tokens can still be drawn for every row before the model's context is full.

        Raises:
            SettingsError: prompt and prefix alone do not fit.
        """
        limit = getattr(getattr(self._model, "config", None), "max_position_embeddings", None)
        if limit is None:
            return sys.maxsize
        # The last drawn token is never read, so it needs no position.
        room = int(limit) - int(self._positions.max())
        if room < 1:
            raise SettingsError(
                f"Expected prompt and prefix to fit the model's {limit} positions, "
                f"got {int(self._positions.max()) + 1} tokens.",
                hint="Shorten the prompt, or use a model with a longer context.",
            )
        return room

    def next_logits(self, rows: Tensor) -> Tensor:
        """Read what was written, and return what the model expects next.

        Args:
            rows: int64 (k,), ascending.

        Returns:
            floating (k, model vocabulary).
        """
        if self._cache is None and self._prompt is None and self._shared:
            self._read_shared()
        inputs = {
            "input_ids": self._tokens,
            "attention_mask": self._read,
            "position_ids": self._positions,
            "past_key_values": self._cache,
            "use_cache": True,
            "logits_to_keep": 1,
        }
        output = self._call(inputs)
        with_room(self._cache)
        logits = output.logits[:, -1]
        return logits if len(rows) == self.num_rows else logits[self._slots(rows)]

    def write(self, rows: Tensor, tokens: Tensor) -> None:
        """Give rows their next token: int64 (k,) for ascending int64 (k,) rows."""
        self._tokens = torch.zeros_like(self._tokens[:, :1])
        self._tokens[self._slots(rows), 0] = tokens
        self._positions = self._positions[:, -1:] + 1
        self._read = torch.nn.functional.pad(self._read, (0, 1), value=1)

    def keep(self, rows: Tensor) -> None:
        """Drop every other row."""
        slots = self._slots(rows)
        self._rows = rows
        self._tokens, self._positions = self._tokens[slots], self._positions[slots]
        self._read = self._read[slots]
        if self._cache is not None:
            self._cache.batch_select_indices(slots)

    def _read_shared(self) -> None:
        tokens = torch.tensor([self._shared], device=self._model.device)
        self._call({"input_ids": tokens, "use_cache": True, "logits_to_keep": 1})
        if self._cache is None:
            return
        if self._keeps_prompt_once:
            self._prompt, self._cache = SharedPrompt(self._cache.layers), None
        else:
            self._cache.batch_repeat_interleave(self.num_rows)

    def _call(self, inputs: Mapping[str, object]) -> CausalOutput:
        known = {name: value for name, value in inputs.items() if name in self._options}
        if self._prompt is None:
            output = self._model(**known)
        else:
            assert self._config is not None
            with attending_to_it(self._config):
                output = self._model(**known, shared_prompt=self._prompt)
        self._cache = getattr(output, "past_key_values", None)
        if self._cache is None:
            raise SettingsError(
                f"Expected a causal language model with a key-value cache; "
                f"{type(self._model).__name__} returned none.",
                hint="Choose a decoder-only transformer.",
            )
        return output

    def _slots(self, rows: Tensor) -> Tensor:
        return torch.searchsorted(self._rows, rows)


def _options(model: CausalModel) -> frozenset[str]:
    """The inputs that the model itself takes; an adapter around it passes them on."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return frozenset(inspect.signature(getattr(base, "forward", base)).parameters)


def _left_padded(tails: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """int64 (n, longest) tokens with zeros before the shorter ones, and int64 ones where read."""
    widest = max(map(len, tails))
    tokens = [[0] * (widest - len(tail)) + list(tail) for tail in tails]
    read = [[0] * (widest - len(tail)) + [1] * len(tail) for tail in tails]
    return torch.tensor(tokens, device=device), torch.tensor(read, device=device)
