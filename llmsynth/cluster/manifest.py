"""Which shards of a table are done, on disk beside them, so that a run can be taken up again."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from llmsynth.cluster.shard_folder import ShardFolder
from llmsynth.cluster.shard_plan import Shard
from llmsynth.errors import SettingsError
from llmsynth.generation.sample import SampleReport

NAME = "_manifest.json"
"""Readers of Parquet folders pass over names that begin so."""
_FORMAT = "llmsynth-shards/1"
_SECONDS_BETWEEN = 2.0
"""A record that a crash keeps from the manifest is found again in the shard's own file."""


@dataclass(frozen=True, kw_only=True)
class ShardRecord:
    """A shard that is done."""

    index: int
    file: str
    first_row: int
    rows: int
    bytes: int
    sha256: str
    report: dict[str, object]
    """The account of the shard's rows, as `SampleReport` has it, but for seconds."""


class Manifest:
    """The shards of one order that are done.

    Args:
        order: facts that say what is drawn; a folder of another order is refused.
    """

    def __init__(self, folder: ShardFolder, order: Mapping[str, object]) -> None:
        self._folder, self._order = folder, dict(order)
        self.done: dict[int, ShardRecord] = {}
        self._written = 0.0

    def open(self) -> None:
        """Read what an earlier run of the order did, or begin a table in an empty folder.

        Shards whose file is gone, or has another size, count as not done.

        Raises:
            SettingsError: the folder holds another table, or other files.
        """
        self._folder.make()
        names = self._folder.names()
        if NAME in names:
            self._take_up()
        elif names:
            raise SettingsError(
                f"{self._folder.address} holds {names[0]} and no {NAME}: it is not empty.",
                hint="Name another --out.",
            )
        self.write(is_complete=False)

    def add(self, record: ShardRecord) -> None:
        """Note a shard; the file is renewed now and then."""
        self.done[record.index] = record
        if time.monotonic() - self._written > _SECONDS_BETWEEN:
            self.write(is_complete=False)

    def missing(self, shards: list[Shard]) -> list[Shard]:
        """The shards that are not done."""
        return [shard for shard in shards if shard.index not in self.done]

    def write(self, *, is_complete: bool) -> None:
        """Replace the file."""
        facts = {
            "format": _FORMAT,
            "complete": is_complete,
            "order": self._order,
            "rows": sum(record.rows for record in self.done.values()),
            "shards": [asdict(self.done[index]) for index in sorted(self.done)],
        }
        with self._folder.writing(NAME) as path:
            path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        self._written = time.monotonic()

    def total(self) -> SampleReport:
        """The account of all shards that are done; `asked` is the whole order."""
        return merged_reports(list(self.done.values()))

    def _take_up(self) -> None:
        with self._folder.open(NAME) as file:
            text = file.read()
        try:
            facts = json.loads(text)
            known, order = facts["format"], facts["order"]
            records = [ShardRecord(**record) for record in facts["shards"]]
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsError(
                f"{self._folder.address}/{NAME} is no manifest of ours: {error}.",
                hint="Name another --out.",
            ) from error
        if known != _FORMAT or order != self._order:
            other = [key for key in self._order if order.get(key) != self._order[key]]
            raise SettingsError(
                f"{self._folder.address} holds another table: it differs in "
                f"{', '.join(other) or 'its format'}.",
                hint="Ask for the same table again to go on with it, or name another --out.",
            )
        self.done = {
            record.index: record
            for record in records
            if self._folder.size(record.file) == record.bytes
        }


def merged_reports(records: list[ShardRecord]) -> SampleReport:
    """One account of several shards: counts add up, shares are means over rows."""
    total = SampleReport()
    reports = [SampleReport(**record.report) for record in records]  # type: ignore[arg-type]
    total.memorization_guard = reports[0].memorization_guard if reports else None
    for report in reports:
        for name in ("asked", "rows", "redrawn", "blocked_spans", "guarded_rows", "copied_rows"):
            setattr(total, name, getattr(total, name) + getattr(report, name))
        for reason, count in report.dropped.items():
            total.dropped[reason] = total.dropped.get(reason, 0) + count
    if total.rows:
        total.masked_mass = sum(r.masked_mass * r.rows for r in reports) / total.rows
        told = [r for r in reports if r.text_masked_mass is not None]
        if told:
            mass = sum((r.text_masked_mass or 0.0) * r.rows for r in told)
            total.text_masked_mass = mass / max(sum(r.rows for r in told), 1)
    return total
