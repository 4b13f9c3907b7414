"""The results file: one JSON line per run, so that a stopped benchmark goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

Key = tuple[str, str, int, int, int, str]


def key(record: Mapping[str, object]) -> Key:
    """What makes two runs the same run: table, system, run, rows, split and settings."""
    return (
        str(record["table"]),
        str(record["system"]),
        int(str(record["run"])),
        int(str(record["train_rows"])),
        int(str(record["split_seed"])),
        json.dumps(record["asked"], sort_keys=True),
    )


class Ledger:
    """The lines of one results file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._done = {key(record): record for record in read(file) if "error" not in record}

    def get(self, wanted: Key) -> dict[str, object] | None:
        """The finished run with this key; failed runs do not count."""
        return self._done.get(wanted)

    def add(self, record: dict[str, object]) -> None:
        """Append one run."""
        with self._file.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(record, ensure_ascii=False) + "\n")
        if "error" not in record:
            self._done[key(record)] = record


def read(file: Path) -> Iterator[dict[str, object]]:
    """Every line of a results file; none where there is no file yet.

    Raises:
        SystemExit: a line is not a JSON object.
    """
    if not file.exists():
        return
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise SystemExit(f"{file}, line {number}: not JSON ({error}).") from error
        if not isinstance(record, dict):
            raise SystemExit(f"{file}, line {number}: expected a JSON object.")
        yield record
