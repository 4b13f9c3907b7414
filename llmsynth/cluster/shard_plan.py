"""Into which files a table is cut: the same ones however many workers write them."""

from __future__ import annotations

from dataclasses import dataclass

_FILES = 64
"""Files of a table that is neither small nor large: enough for 16 workers to end together."""
_MOST_ROWS = 262_144
"""Rows that are lost with a worker at most: about half a minute of a compact model on one core."""


@dataclass(frozen=True)
class Shard:
    """A run of rows, and the file they go to."""

    index: int
    first_row: int
    rows: int

    @property
    def file(self) -> str:
        """Name of the file in the table's folder; names sort as rows do."""
        return f"part-{self.index:06d}.parquet"


def shard_rows(rows: int, block_rows: int) -> int:
    """Rows of each shard but the last: a multiple of the rows a model draws together.

    Args:
        block_rows: parts that begin at its multiples are those of a single run.
    """
    blocks = -(-rows // (_FILES * block_rows))
    return block_rows * max(min(blocks, _MOST_ROWS // block_rows), 1)


def plan(rows: int, each: int) -> list[Shard]:
    """All shards of a table of `rows` rows, `each` rows a shard."""
    return [
        Shard(index, first, min(each, rows - first))
        for index, first in enumerate(range(0, rows, each))
    ]
