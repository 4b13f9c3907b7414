"""What the default fit does to tables nobody prepared: read, fit, sample, compare cell by cell.

    python benchmarks/first_contact.py DIR [--jobs 2] [--minutes .05] [--rows 200] [--out FILE]

Every file of DIR is fitted as `llmsynth fit FILE` would, for a few seconds, and 200 rows are drawn
and written to CSV. The cells of that file are compared, as text, with those of the real one read
by pandas, which knows nothing of our schema. A column is

* emptied, where cells are missing in many more rows than in the real table;
* reduced, where a column of many values came back with a small part of them;
* respelled, where the cells' outlines (digits as 9, letters as a) are none the real cells have;
* closed, where numbers were learned as a list of known values;
* lost, where it is not in the rows and no note says so.

What is counted is a suspicion, to be looked at; the decided kinds go to a second table for that.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import re
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path

MISSING = frozenset({"", "NA", "NaN", "nan", "null", "NULL", "None", "N/A", "?"})
NUMBER = re.compile(r"^[\s$€£]*[-+(]?[\d.,]*\d[\d.,]*(?:[eE][-+]?\d+)?[\s%)]*$")


@dataclass
class Contact:
    """What became of one file."""

    file: str
    rows: int = 0
    columns: int = 0
    refused: str = ""
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kinds: list[tuple[str, str, str, str]] = field(default_factory=list)
    """Column, kind, real examples, synthetic examples."""


def as_a_person_reads(path: Path) -> dict[str, list[str]] | None:
    """Column to cells as text, by pandas' reader and nothing cleverer; None where it fails."""
    import pandas as pd

    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    for encoding in ("utf-8-sig", "cp1252", "utf-16"):
        try:
            frame = pd.read_csv(
                io.BytesIO(data),
                dtype=str,
                keep_default_na=False,
                encoding=encoding,
                sep=None,
                engine="python",
            )
        except (UnicodeError, pd.errors.ParserError, csv.Error, ValueError):
            continue
        return {str(name): frame.iloc[:, at].tolist() for at, name in enumerate(frame.columns)}
    return None


def outline(cell: str) -> str:
    """A cell's shape: runs of digits as 9, of letters as a, anything else as it is."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", cell.strip()))


def is_missing(cell: str) -> bool:
    """Whether a reader would call the cell empty."""
    return cell.strip() in MISSING


def numbers_among(cells: list[str]) -> float:
    """Share of the cells that look like a number in any usual spelling."""
    return sum(bool(NUMBER.match(cell)) for cell in cells) / max(len(cells), 1)


def faults_of(name: str, real: list[str], made: list[str], kind: str) -> Iterator[str]:
    """Suspicions about one column; `made` are synthetic cells, as text."""
    held, new = ([c for c in cells if not is_missing(c)] for cells in (real, made))
    if len(new) < len(made) * (len(held) / max(len(real), 1)) * 0.6 - 5:
        yield f"{name}: emptied, {len(held)}/{len(real)} cells real, {len(new)}/{len(made)} made"
        return
    if not held or not new:
        return
    # As many real cells as synthetic ones, evenly spread, so that the counts can be compared.
    step = max(len(held) / len(new), 1.0)
    sample = [held[int(at * step)] for at in range(min(len(new), len(held)))]
    here, there = len(set(sample)), len(set(new))
    if here >= 8 and there < here / 4:
        yield f"{name}: reduced, {here} values in {len(sample)} cells real, {there} made"
    outlines = Counter(map(outline, held))
    if len(outlines) <= 30:
        strange = [cell for cell in new if outline(cell) not in outlines]
        if len(strange) > 0.1 * len(new):
            yield f"{name}: respelled, {strange[0]!r} beside {held[0]!r} ({len(strange)})"
    share = numbers_among(held)
    many = len(set(held)) > max(30, 0.1 * len(held))
    if kind == "category" and share > 0.8 and many:
        yield f"{name}: closed, {len(set(held))} numbers as a category"
    if kind == "text" and share > 0.8:
        yield f"{name}: closed, numbers as text ({held[0]!r})"
    if share > 0.95 and numbers_among(new) < 0.85:
        yield f"{name}: respelled, numbers as {new[0]!r}"


def meet(path: Path, minutes: float, rows: int) -> Contact:
    """Fit and sample one file with every default, and compare."""
    from llmsynth import Synthesizer, read_table, write_table
    from llmsynth.errors import LlmsynthError

    contact = Contact(path.name)
    started = time.perf_counter()
    real = as_a_person_reads(path)
    try:
        with warnings.catch_warnings(record=True) as caught, tempfile.TemporaryDirectory() as room:
            warnings.simplefilter("always")
            synthesizer = Synthesizer(max_minutes=minutes).fit(path)
            sample = synthesizer.sample(rows)
            out = Path(room) / "made.csv"
            write_table(sample.table, out, schema=sample.schema)
            made = as_a_person_reads(out) or {}
            known = read_table(path)
        contact.notes = [str(warning.message)[:200] for warning in caught]
    except LlmsynthError as error:
        contact.refused = f"{type(error).__name__}: {error}"[:300]
    except Exception as error:  # noqa: BLE001  # an error without a name is what is looked for
        contact.refused = f"UNNAMED {type(error).__name__}: {error}"[:300]
    contact.seconds = round(time.perf_counter() - started, 1)
    if contact.refused:
        return contact
    contact.rows, contact.columns = known.num_rows, known.num_columns
    kinds = {column.name: column.kind for column in sample.schema.columns}
    for name in real or {}:
        cells = (real or {})[name]
        if name not in made:
            contact.faults.append(f"{name}: lost ({cells[:3]})")
            continue
        contact.kinds.append(
            (
                name,
                kinds.get(name, "?"),
                " | ".join(cells[:5])[:80],
                " | ".join(made[name][:5])[:80],
            )
        )
        contact.faults += faults_of(name, cells, made[name], kinds.get(name, "?"))
    return contact


def main() -> None:
    """Meet every file, print what was refused or suspicious, and write all of it down."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=0.05)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--every", type=int, default=1, help="only each so many files")
    parser.add_argument("--out", type=Path, default=Path("first_contact.json"))
    asked = parser.parse_args()
    files = sorted(p for p in asked.folder.iterdir() if p.is_file() and p.suffix != ".md")
    files = files[:: asked.every]
    contacts = []
    pool = ProcessPoolExecutor(asked.jobs, mp_context=get_context("spawn"), max_tasks_per_child=20)
    with pool:
        runs = {pool.submit(meet, path, asked.minutes, asked.rows): path for path in files}
        for run in as_completed(runs):
            try:
                contact = run.result()
            except Exception as error:  # noqa: BLE001  # a killed process is a finding, too
                contact = Contact(runs[run].name, refused=f"DIED {error}")
            contacts.append(contact)
            if contact.refused or contact.faults:
                print(contact.file, contact.refused, *contact.faults, sep="\n    ", flush=True)
    contacts.sort(key=lambda contact: contact.file)
    asked.out.write_text(json.dumps([asdict(c) for c in contacts], indent=1, ensure_ascii=False))
    refused = [contact for contact in contacts if contact.refused]
    columns = sum(len(contact.kinds) for contact in contacts)
    by_fault = Counter(
        fault.split(": ")[-1].split(",")[0].split(" (")[0] for c in contacts for fault in c.faults
    )
    print(f"\n{len(contacts)} files, {len(refused)} refused, {columns} columns compared")
    print("suspicions:", dict(by_fault), f"in {sum(bool(c.faults) for c in contacts)} files")
    print(f"{sum(c.seconds for c in contacts):,.0f} s in all", file=sys.stderr)


if __name__ == "__main__":
    main()
