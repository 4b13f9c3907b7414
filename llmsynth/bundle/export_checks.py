"""What a bundle's files show of the training table, looked for before they are handed on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from safetensors import SafetensorError, safe_open

from llmsynth.bundle.owner import SUFFIX

NAMES = ("work-file", "plain-hash", "training-text")
"""What can be found, as `--accept` names it."""
_LEAST_CHARACTERS = 20
"""Of a cell that is looked for: shorter ones are categories, which many tables share."""
_OF_WORK = ("checkpoint.safetensors", "spans.safetensors", "examples.arrow", "compact_run.json")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that should not leave: its name for `--accept`, and what was found where."""

    name: str
    words: str


def findings(bundle: Path, table: pa.Table | None) -> list[Finding]:
    """What speaks against handing a bundle on.

    Args:
        table: the training table, whose long cells are looked for in every file.
    """
    files = shipped_files(bundle)
    out = [
        Finding(name="work-file", words=f"{path.relative_to(bundle)} can be read back to rows.")
        for path in files
        if path.name in _OF_WORK or path.suffix == ".arrow"
    ]
    for path in files:
        record = json.loads(path.read_bytes()) if path.name == "provenance.json" else {}
        if "sha256" in record.get("data", {}):
            words = (
                f"{path.relative_to(bundle)} holds a plain hash, which confirms a guessed table."
            )
            out.append(Finding(name="plain-hash", words=words))
    if table is None:
        return out
    cells = list(_long_cells(table))
    for path in files:
        texts = readings(path)
        held = sum(any(cell in text for text in texts) for cell in cells)
        if held:
            words = f"{path.relative_to(bundle)} holds {held:,} of {len(cells):,} long cells."
            out.append(Finding(name="training-text", words=words))
    return out


def shipped_files(bundle: Path) -> list[Path]:
    """Every file of a bundle that may leave: all but what lies in an owner's folder."""
    files = sorted(path for path in bundle.rglob("*") if path.is_file())
    return [path for path in files if not _is_owners(path.relative_to(bundle))]


def _is_owners(path: Path) -> bool:
    return any(part.endswith(SUFFIX) for part in path.parts)


def readings(path: Path) -> Sequence[str]:
    """A file's content as text, with JSON's escapes undone and the notes of safetensors."""
    raw = path.read_bytes()
    out = [raw.decode("utf-8", "replace"), raw.decode("utf-16-le", "replace")]
    if path.suffix == ".json":
        with suppress(ValueError):
            out.append("\n".join(_strings(json.loads(raw))))
    if path.suffix == ".safetensors":
        with suppress(SafetensorError, OSError), safe_open(path, framework="numpy") as file:
            out += (file.metadata() or {}).values()
    return out


def _strings(data: object) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield str(key)
            yield from _strings(value)
    elif isinstance(data, list):
        for value in data:
            yield from _strings(value)


def _long_cells(table: pa.Table) -> Iterator[str]:
    for column in table.columns:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            counts = column.value_counts().to_pylist()
            for entry in counts:
                cell = entry["values"]
                if cell is not None and len(cell) >= _LEAST_CHARACTERS and entry["counts"] < 5:
                    yield cell
