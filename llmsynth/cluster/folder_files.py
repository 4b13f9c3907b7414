"""A folder's files as bytes by relative name, to go to machines that share no folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def read_files(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write them below another folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
