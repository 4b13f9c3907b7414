"""The process that keeps synthesizers loaded and draws a few rows at a time.

It reads an order a line and writes an answer a line. A process of its own keeps the model library
out of the one that answers requests, and may die without taking any with it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmsynth.errors import LlmsynthError
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth_serving.objects.plain_cells import plain_rows
from llmsynth_serving.settings import ServiceSettings
from llmsynth_serving.storage import Storage

MOST_WARM = 8
"""Synthesizers kept loaded; the one unused longest goes first."""


def main() -> int:
    """Answer orders until standard input ends."""
    out = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not end among the answers
    storage = Storage(ServiceSettings.from_environment().storage)
    with tempfile.TemporaryDirectory(prefix="llmsynth-rows-") as scratch:
        shelf = Shelf(storage, Path(scratch))
        for line in sys.stdin:
            order = json.loads(line)
            out.write(json.dumps({"order": order["order"], **answer(shelf, order)}) + "\n")
    return 0


class Shelf:
    """Loaded synthesizers by their path in the storage, which no two versions share."""

    def __init__(self, storage: Storage, scratch: Path) -> None:
        self._storage, self._scratch = storage, scratch
        self._warm: OrderedDict[str, Synthesizer] = OrderedDict()

    def take(self, path: str) -> Synthesizer:
        """The synthesizer at a path."""
        if path not in self._warm:
            with self._storage.local_bundle(path, self._scratch) as folder:
                self._warm[path] = Synthesizer.load(folder)
        self._warm.move_to_end(path)
        if len(self._warm) > MOST_WARM:
            self._warm.popitem(last=False)
        return self._warm[path]


def answer(shelf: Shelf, order: Mapping[str, Any]) -> dict[str, Any]:
    """Columns, rows and seconds; or the error that stood in the way."""
    try:
        synthesizer = shelf.take(order["path"])
        started = time.perf_counter()
        sample = synthesizer.sample(
            order["rows"],
            where=order["where"],
            temperature=order["temperature"],
            top_p=order["top_p"],
            seed=order["seed"],
        )
    except LlmsynthError as error:
        return {"error": {"detail": error.message, "hint": error.hint}}
    return {
        "columns": sample.table.column_names,
        "rows": plain_rows(sample.table),
        "seconds": time.perf_counter() - started,
        "is_partial": sample.report.is_partial,
    }


if __name__ == "__main__":
    sys.exit(main())
