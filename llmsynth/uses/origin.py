"""Which rows of a mixed table are real and which are synthetic."""

from __future__ import annotations

import pyarrow as pa

from llmsynth.errors import SettingsError

REAL, SYNTHETIC = "real", "synthetic"
ORIGIN = "origin"
"""Usual name of the column that says so."""


def check_origin(column: str | None, names: list[str]) -> None:
    """Refuse a name that the table uses already.

    Raises:
        SettingsError: it does.
    """
    if column is not None and (not column or column in names):
        raise SettingsError(f"The table has a column {column!r} already; name another for origins.")


def mixed(real: pa.Table, synthetic: pa.Table, origin: str | None) -> pa.Table:
    """Real rows, then synthetic ones, in the real table's columns and types.

    Args:
        origin: name of a column that says `real` or `synthetic` of each row; None for none.
    """
    made = synthetic.select(real.column_names).cast(real.schema)
    table = pa.concat_tables([real, made])
    if origin is None:
        return table
    texts = [REAL] * real.num_rows + [SYNTHETIC] * made.num_rows
    return table.append_column(origin, pa.array(texts, pa.string()))
