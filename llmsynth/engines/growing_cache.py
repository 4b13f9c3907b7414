"""Keys and values of a decoding batch in buffers that grow ahead of what is written into them.

transformers' own growing layer copies everything it holds at every token.
"""

from __future__ import annotations

from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

_ROOM = 1.5
"""A buffer that is full is replaced by one so many times as long."""
_SHORTEST = 64


class GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """One layer's keys and values: (rows, key heads, tokens, head width) each.

    Args:
        held: what was read so far.
    """

    def __init__(self, held: DynamicLayer) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.keys, self.values = held.keys, held.values
        self.dtype, self.device, self.is_initialized = held.dtype, held.device, True
        self._buffers: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Add keys and values of new tokens; returns all of them."""
        assert self.keys is not None
        assert self.values is not None
        length = self.keys.shape[-2]
        longer = length + key_states.shape[-2]
        if self._buffers is None or longer > self._buffers[0].shape[-2]:
            room = max(int(longer * _ROOM), _SHORTEST)
            self._buffers = _moved(self.keys, room), _moved(self.values, room)
        keys, values = self._buffers
        keys[..., length:longer, :] = key_states
        values[..., length:longer, :] = value_states
        self.keys, self.values = keys[..., :longer, :], values[..., :longer, :]
        return self.keys, self.values

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeat each row."""
        super().batch_repeat_interleave(repeats)
        self._buffers = None

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep only these rows; room is made when the next token comes."""
        super().batch_select_indices(indices)
        self._buffers = None


def with_room(cache: object) -> object:
    """The cache with room in every layer that holds all tokens; others are left as they are."""
    if isinstance(cache, Cache):
        cache.layers = [
            GrowingLayer(layer) if type(layer) is DynamicLayer and layer.is_initialized else layer
            for layer in cache.layers
        ]
    return cache


def _moved(held: Tensor, room: int) -> Tensor:
    """A longer buffer that begins with what is held."""
    buffer = held.new_empty(*held.shape[:-2], room, held.shape[-1])
    buffer[..., : held.shape[-2], :] = held
    return buffer
