"""Which demo tables there are, where they come from, and how to read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from llmsynth.errors import InputError
from llmsynth.tables import read_table

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class DemoTable:
    """What is known of one demo table without reading it."""

    name: str
    title: str
    """What one row stands for."""
    rows: int
    columns: int
    target: str
    """The column a classifier would be asked to predict."""
    missing: tuple[str, ...] = ()
    """Cell texts that stand for a missing value in this file, beside the empty cell."""
    licence: str
    citation: str


_TABLES = (
    DemoTable(
        name="adult",
        title="One person of the 1994 US census, and whether they earn over 50,000 dollars a year.",
        rows=32_561,
        columns=15,
        target="income",
        missing=("?",),
        licence="CC BY 4.0",
        citation=(
            "Becker, B. and Kohavi, R. (1996). Adult. UCI Machine Learning Repository. "
            "https://doi.org/10.24432/C5XW20"
        ),
    ),
    DemoTable(
        name="sick_thyroid",
        title="One patient's thyroid tests, and whether the thyroid was judged sick (6% are).",
        rows=3_772,
        columns=30,
        target="Class",
        missing=("?",),
        licence="CC BY 4.0",
        citation=(
            "Quinlan, R. (1986). Thyroid Disease. UCI Machine Learning Repository. "
            "https://doi.org/10.24432/C5D010"
        ),
    ),
    DemoTable(
        name="mts_dialog",
        title="One section of a clinical note, and which of twenty kinds of section it is.",
        rows=1_701,
        columns=2,
        target="section_header",
        licence="CC BY 4.0",
        citation=(
            "Ben Abacha, A., Yim, W., Fan, Y. and Lin, T. (2023). An Empirical Study of Clinical "
            "Note Generation from Doctor-Patient Encounters. EACL 2023, pages 2291-2302. "
            "https://doi.org/10.18653/v1/2023.eacl-main.168"
        ),
    ),
)

_BY_NAME = {table.name: table for table in _TABLES}


def names() -> tuple[str, ...]:
    """Names of the demo tables, in the order they are best met."""
    return tuple(_BY_NAME)


def describe(name: str) -> DemoTable:
    """Size, target, licence and citation of one demo table.

    Raises:
        InputError: no demo table has this name.
    """
    if name not in _BY_NAME:
        raise InputError(
            f"Expected the name of a demo table, got {name!r}.",
            hint=f"The demo tables are {', '.join(names())}.",
        )
    return _BY_NAME[name]


def path(name: str) -> Path:
    """The gzip-compressed CSV file of one demo table.

    Raises:
        InputError: no demo table has this name.
    """
    return _FOLDER / f"{describe(name).name}.csv.gz"


def load(name: str) -> pa.Table:
    """Read one demo table, its missing markers as null.

    Returns:
        `rows` by `columns` cells as `describe(name)` says, each a text, as `read_table` reads
        any CSV file; `infer_schema` and `conform` give them types.

    Raises:
        InputError: no demo table has this name.
    """
    return read_table(path(name), missing=describe(name).missing)
