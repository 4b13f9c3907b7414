"""Files removed for good, and looked for again afterwards."""

from __future__ import annotations

from llmsynth_serving.objects.refusals import ConflictError
from llmsynth_serving.storage import Storage


def erase(storage: Storage, *paths: str) -> list[str]:
    """Remove files and folders; returns the files that there were.

    Raises:
        ConflictError: something is still there afterwards.
    """
    removed = [file for path in paths for file in storage.delete(path)]
    left = [path for path in paths if storage.exists(path)]
    if left:
        raise ConflictError(f"{', '.join(left)} could not be removed.")
    return removed
