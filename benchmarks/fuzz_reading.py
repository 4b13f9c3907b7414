"""Mutated CSV files: no crash, no error without a name, no row lost without a word.

    python benchmarks/fuzz_reading.py [--files 10000] [--seed 0]

Tables are written by Python's `csv` module, whose rows are known, and their bytes are mutated. Each
file must be read, or refused with a `TableError` that has a hint. Where it is read, the rows of the
table and those that the notes count as left out are compared with the records that Python's `csv`
reader finds in the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import tempfile
from collections import Counter
from pathlib import Path

from llmsynth.errors import TableError
from llmsynth.tables.reading import read_noted
from llmsynth.tables.reading_notes import notes_of

LEFT_OUT = ("lines_before_table", "blank_lines", "comment_lines", "closing_lines")
OTHER_GRAMMAR = ("escaped_quotes", "single_quotes", "blanks_before_quotes")
CELLS = ["", " ", "a", "1", "2.5", "x y", 'say "hi"', "1,5", "a;b", "l1\nl2", "é", "NA", "#", "'"]
PIECES = [b'"', b",", b";", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"\\", b"'", b"\t", b" ", b"#"]


def table(draw: random.Random) -> bytes:
    """A table of two to five columns, written without a fault."""
    out = io.StringIO()
    delimiter = draw.choice(",;\t|")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=draw.choice(["\n", "\r\n"]))
    width = draw.randint(2, 5)
    writer.writerow([f"name_{at}" for at in range(width)])
    for _ in range(draw.randint(1, 12)):
        writer.writerow([draw.choice(CELLS) for _ in range(width)])
    return out.getvalue().encode()


def mutated(data: bytes, draw: random.Random) -> bytes:
    """The bytes with up to four faults: put in, cut out, cut short, a line twice."""
    for _ in range(draw.randint(0, 4)):
        at = draw.randrange(len(data) + 1)
        fault = draw.randrange(5)
        if fault < 2:
            data = data[:at] + draw.choice(PIECES) + data[at:]
        elif fault == 2:
            data = data[:at] + data[at + draw.randint(1, 5) :]
        elif fault == 3:
            lines = data.splitlines(keepends=True) or [b""]
            data = b"".join([*lines, draw.choice(lines)])
        else:
            data = data[:at] if draw.random() < 0.3 else data
    return data


def reference_rows(data: bytes, delimiter: str) -> int:
    """Records that Python's reader finds behind the first, blank lines aside."""
    text = data.decode("utf-8", "replace").replace("\0", "0")
    records = [r for r in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if r]
    return len(records) - 1


def verdict(data: bytes, path: Path) -> str:
    """What became of one file; begins with BAD where it should not."""
    path.write_bytes(data)
    try:
        read = read_noted(path)
    except TableError as error:
        return "refused" if error.hint else "BAD no hint"
    except Exception as error:  # noqa: BLE001  # an error without a name is what is looked for
        return f"BAD {type(error).__name__}: {error}"
    notes = notes_of(read)
    codes = {note.code for note in notes}
    if codes & set(OTHER_GRAMMAR) or read.num_columns == 1:
        return "read, by another grammar"
    told = sum(note.count or 0 for note in notes if note.code in LEFT_OUT)
    rows = read.num_rows + told - ("no_header" in codes)
    expected = {reference_rows(data, mark) for mark in ",;\t|"}
    return "read" if rows in expected else f"BAD rows {rows}, reference {sorted(expected)}"


def main() -> None:
    """Read all files and count what became of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    draw = random.Random(asked.seed)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(asked.files):
            data = mutated(table(draw), draw)
            found = verdict(data, Path(folder) / "t.csv")
            if found.startswith("BAD"):
                print(found, data[:200])
            counts[found.split(":")[0].split(",")[0] if found.startswith("BAD") else found] += 1
    print(dict(counts))


if __name__ == "__main__":
    main()
