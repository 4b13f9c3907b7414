"""How torch says that a device's memory does not hold what was asked of it."""

from __future__ import annotations

import torch

_CPU_WORDS = ("can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that a smaller batch may succeed."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _CPU_WORDS)


def free_cached_memory() -> None:
    """Give a GPU's cached blocks back, so that a smaller batch finds them whole."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
