"""What is to be drawn, so exactly that two runs of one order write the same bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from llmsynth.bundle.owner import OwnerFolder
from llmsynth.cluster.folder_files import read_files, write_files
from llmsynth.cluster.shard_plan import Shard
from llmsynth.generation.generator import SamplingSettings

_STATE = ("checkpoint.safetensors", "tuning")
"""What an unfinished training of an earlier build left in a bundle; no part of it."""
_OWNER = ".owner/"
"""Before the names of the guard's files, which lie beside a bundle."""


@dataclass(frozen=True, kw_only=True)
class SampleOrder:
    """Rows of one synthesizer under one seed.

    Args:
        synthesizer: sha256 of the bundle's files.
        settings: how rows are drawn; `first_row` and `max_seconds` are not looked at.
        given: some columns of the rows, one row each.
    """

    synthesizer: str
    rows: int
    shard_rows: int
    settings: SamplingSettings
    where: Mapping[str, object]
    given: pa.Table | None

    def facts(self) -> dict[str, object]:
        """The order as JSON-ready facts; equal facts mean equal rows in equal files."""
        return {
            "synthesizer_sha256": self.synthesizer,
            "rows": self.rows,
            "shard_rows": self.shard_rows,
            "seed": self.settings.seed,
            "temperature": self.settings.temperature,
            "top_p": self.settings.top_p,
            "max_attempts": self.settings.max_attempts,
            "where": {name: None if v is None else str(v) for name, v in self.where.items()},
            "given_sha256": None if self.given is None else _table_hash(self.given),
        }

    def fingerprint(self) -> str:
        """sha256 of the facts."""
        return hashlib.sha256(json.dumps(self.facts(), sort_keys=True).encode()).hexdigest()

    def part(self, shard: Shard) -> tuple[SamplingSettings, pa.Table | None]:
        """How one shard's rows are drawn, and what is given of them."""
        settings = replace(self.settings, first_row=shard.first_row, max_seconds=None)
        given = None if self.given is None else self.given.slice(shard.first_row, shard.rows)
        return settings, given


def bundle_files(folder: Path) -> dict[str, bytes]:
    """The files of a bundle by their relative names, and those of its guard behind `.owner/`.

    Workers of its owner draw as this machine does; with another guard, other rows are drawn.
    """
    found = read_files(folder).items()
    own = {name: content for name, content in found if name.split("/")[0] not in _STATE}
    owner = OwnerFolder.of(folder)
    guard = read_files(owner.guard) if owner.guard.is_dir() else {}
    place = owner.guard.relative_to(owner.path).as_posix()
    return own | {f"{_OWNER}{place}/{name}": content for name, content in guard.items()}


def write_bundle(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write what `bundle_files` read as a bundle with its owner's folder beside it."""
    guard = {name: content for name, content in files.items() if name.startswith(_OWNER)}
    write_files(folder, {name: content for name, content in files.items() if name not in guard})
    if guard:
        owner = OwnerFolder.of(folder)
        owner.make()
        write_files(owner.path, {n.removeprefix(_OWNER): content for n, content in guard.items()})


def bundle_hash(files: Mapping[str, bytes]) -> str:
    """sha256 over names and contents."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return digest.hexdigest()


def _table_hash(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    return hashlib.sha256(sink.getvalue()).hexdigest()
