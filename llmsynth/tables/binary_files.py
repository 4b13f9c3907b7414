"""How Parquet and Arrow files become tables; a file is told by its first bytes."""

from __future__ import annotations

from pathlib import PurePath

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet

from llmsynth.errors import TableError

PARQUET_SUFFIXES = (".parquet", ".pq")
ARROW_SUFFIXES = (".arrow", ".feather", ".ipc")


def is_parquet(data: bytes, name: str) -> bool:
    """Whether the file is Parquet by its mark, or claims to be by its name."""
    return (data.startswith(b"PAR1") and data.endswith(b"PAR1")) or _ends(name, PARQUET_SUFFIXES)


def is_arrow(data: bytes, name: str) -> bool:
    """Whether the file is Arrow IPC or Feather by its mark, or claims to be by its name."""
    return data.startswith((b"ARROW1\0\0", b"FEA1")) or _ends(name, ARROW_SUFFIXES)


def parse_parquet(data: bytes, *, label: str) -> pa.Table:
    """Read the bytes of one Parquet file.

    Raises:
        TableError: not Parquet, or a damaged file.
    """
    try:
        return pyarrow.parquet.ParquetFile(pa.BufferReader(data)).read()
    except (pa.ArrowException, OSError) as error:
        raise _fault(label, "a Parquet file", error) from error


def parse_arrow(data: bytes, *, label: str) -> pa.Table:
    """Read the bytes of one Arrow file, Arrow stream or Feather file.

    Raises:
        TableError: none of these, or a damaged file.
    """
    try:
        if data.startswith((b"ARROW1\0\0", b"FEA1")):
            return pyarrow.feather.read_table(pa.BufferReader(data))
        return pa.ipc.open_stream(pa.BufferReader(data)).read_all()
    except (pa.ArrowException, OSError) as error:
        raise _fault(label, "an Arrow or Feather file", error) from error


def _ends(name: str, suffixes: tuple[str, ...]) -> bool:
    return PurePath(name.removesuffix(".gz")).suffix.lower() in suffixes


def _fault(label: str, expected: str, error: Exception) -> TableError:
    reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
    return TableError(
        f"{label}: expected {expected}, but it cannot be read as one: {reason}.",
        hint="Write the file again, or give it the name ending of what it is.",
    )
