"""How a file on disk becomes the table that is judged, and a text a file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa

from llmsynth.errors import InputError, TableError


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV (possibly compressed) or Parquet file; only the empty cell is missing.

    Raises:
        TableError: the file is not there or cannot be read.
    """
    try:
        if Path(path).suffix in (".parquet", ".pq"):
            return pd.read_parquet(path)
        return pd.read_csv(path, keep_default_na=False, na_values=[""], low_memory=False)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise TableError(
            f"Cannot read the table {path}: {error}.", hint="Give a CSV or Parquet file."
        ) from error


def write_text(text: str, path: str | Path, *, what: str) -> None:
    """Write a text file.

    Raises:
        InputError: it cannot be written.
    """
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"Cannot write the {what} {path}: {error}.") from error
