"""What a benchmark of groups or of related tables asks of a system: one JSON file, the timing back.

Each `<system>/run_groups.py` and `run_related.py` is a script of its own Python, called with the
path of that file.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class GroupRequest:
    """One fit of a table of groups, and one sample."""

    train: Path
    """CSV file to learn from; an empty cell is missing."""
    out: Path
    """CSV file to write new groups to."""
    timing: Path
    """JSON file for what was measured."""
    group_by: str
    order_by: str
    static: list[str]
    """Columns that are the same in all rows of a group."""
    is_date: bool
    """Whether the ordering column holds ISO days."""
    groups: int
    """How many groups to write."""
    seed: int
    max_minutes: float
    """Limit on the fit, of all of a system's models together."""


@dataclass(frozen=True, kw_only=True)
class RelatedRequest:
    """One fit of a set of tables, and one sample of the same size."""

    metadata: Path
    """JSON file of tables, primary keys, foreign keys and files, beside the CSV files."""
    out: Path
    """Folder for one CSV file a table."""
    timing: Path
    seed: int
    max_minutes: float
    dates: list[str]
    """Columns of ISO days."""


def read_group_request() -> GroupRequest:
    """The request in the file that the command line names."""
    return GroupRequest(**_read("train", "out", "timing"))


def read_related_request() -> RelatedRequest:
    """The request in the file that the command line names."""
    return RelatedRequest(**_read("metadata", "out", "timing"))


def _read(*paths: str) -> dict[str, object]:
    data: dict[str, object] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    return {name: Path(str(value)) if name in paths else value for name, value in data.items()}
