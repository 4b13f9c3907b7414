"""Rows of a table as values that JSON has."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa


def plain_rows(table: pa.Table) -> list[list[Any]]:
    """Each row as a list, in the order of the columns; dates and decimals as text."""
    columns = [[_plain(cell) for cell in column.to_pylist()] for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def _plain(cell: object) -> object:
    if isinstance(cell, float) and not math.isfinite(cell):
        return None
    return cell if cell is None or isinstance(cell, bool | int | float | str) else str(cell)
