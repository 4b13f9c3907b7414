"""Which real tables the benchmark uses, and how each becomes a train and a holdout file."""

from __future__ import annotations

import csv
import gzip
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmsynth.demo_tables import names, path


@dataclass(frozen=True, kw_only=True)
class Case:
    """One table as every system gets it."""

    name: str
    file: str
    """Name of its gzip-compressed CSV file in the data folder."""
    target: str
    missing: tuple[str, ...] = ()
    """Cell texts that become empty cells, so that numbers are numbers for every system."""
    dropped: tuple[str, ...] = ()
    """Keys of rows and people, which no system should learn."""
    one_row_per: str | None = None
    """A person's key: only the first row of each is kept, so that nobody is in both halves."""
    codes: tuple[str, ...] = ()
    """Whole-number columns that are categories to the judge."""
    dates: tuple[str, ...] = ()
    """Columns of ISO days, numbers to the judge."""


CASES = (
    Case(name="adult", file="adult_train.csv.gz", target="income"),
    Case(name="bank_marketing", file="bank_marketing.csv.gz", target="y"),
    Case(
        name="credit_default_taiwan",
        file="credit_default_taiwan.csv.gz",
        target="has_default",
        codes=(
            *("sex", "education", "marriage", "has_default"),
            *("pay_0", "pay_2", "pay_3", "pay_4", "pay_5", "pay_6"),
        ),
    ),
    Case(name="california_housing", file="california_housing.csv.gz", target="median_house_value"),
    Case(name="sick_thyroid", file="sick_thyroid.csv.gz", target="Class", missing=("?",)),
    Case(
        name="diabetes_130us",
        file="diabetes_130us.csv.gz",
        target="readmitted",
        dropped=("encounter_id", "patient_nbr"),
        one_row_per="patient_nbr",
        codes=("admission_type_id", "discharge_disposition_id", "admission_source_id"),
    ),
    Case(
        name="airbnb_nyc_2019",
        file="airbnb_nyc_2019.csv.gz",
        target="room_type",
        dates=("last_review",),
    ),
    Case(
        name="creditcard_ulb_undersampled",
        file="creditcard_ulb_undersampled.csv.gz",
        target="Class",
    ),
)
BY_NAME = {case.name: case for case in CASES}


@dataclass(frozen=True, kw_only=True)
class Halves:
    """The two files of a prepared case."""

    train: Path
    holdout: Path
    num_rows: int
    """Rows of each."""


def source(case: Case, data: Path | None) -> Path:
    """The case's file in the data folder; without one, the demo table of the same name.

    Raises:
        SystemExit: there is no such file, or no such demo table.
    """
    if data is None:
        if case.name not in names():
            raise SystemExit(
                f"{case.name} is no demo table; name the folder of {case.file}: --data"
            )
        return path(case.name)
    if not (data / case.file).exists():
        raise SystemExit(f"{data} holds no {case.file}.")
    return data / case.file


def prepare(case: Case, file: Path, folder: Path, *, max_rows: int, seed: int) -> Halves:
    """Write `train.csv` and `holdout.csv`: distinct rows, shuffled by `seed`, cut in two halves.

    Cells stay the texts of the source, but for the case's missing markers. Both halves have the
    same number of rows, at most `max_rows`.
    """
    with gzip.open(file, "rt", encoding="utf-8", newline="") as handle:
        header, *rows = csv.reader(handle)
    rows = _first_rows(header, rows, case.one_row_per)
    kept = [index for index, name in enumerate(header) if name not in case.dropped]
    distinct = list(dict.fromkeys(tuple(_cell(row[i], case) for i in kept) for row in rows))
    random.Random(seed).shuffle(distinct)
    num_rows = min(max_rows, len(distinct) // 2)
    folder.mkdir(parents=True, exist_ok=True)
    halves = Halves(train=folder / "train.csv", holdout=folder / "holdout.csv", num_rows=num_rows)
    names_kept = [header[index] for index in kept]
    _write(halves.train, names_kept, distinct[:num_rows])
    _write(halves.holdout, names_kept, distinct[num_rows : 2 * num_rows])
    return halves


def cut_in_two(holdout: Path, folder: Path) -> tuple[Path, Path]:
    """Two files of alternate rows of the holdout: real rows to be judged, and rows to judge by."""
    with holdout.open(encoding="utf-8", newline="") as handle:
        header, *rows = csv.reader(handle)
    folder.mkdir(parents=True, exist_ok=True)
    parts = folder / "synthetic.csv", folder / "holdout.csv"
    for start, part in enumerate(parts):
        _write(part, header, rows[start::2])
    return parts


def _first_rows(header: list[str], rows: list[list[str]], key: str | None) -> list[list[str]]:
    if key is None:
        return rows
    index = header.index(key)
    first: dict[str, list[str]] = {}
    for row in rows:
        first.setdefault(row[index], row)
    return list(first.values())


def _cell(text: str, case: Case) -> str:
    return "" if text in case.missing else text


def _write(file: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
