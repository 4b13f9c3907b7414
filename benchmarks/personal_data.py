"""Which personal columns are found, which are found wrongly, and which names stay in texts.

    python benchmarks/personal_data.py --cases DIR --tables DIR [DIR ...] --data DIR

`planted` counts the invented columns of `c25_personal_headings.py`, `found` the columns of real
tables, of which `personal_labels.json` names those that a person called wrong or missing, after
looking through what was found. `texts` puts real people's names, in small letters, into doctors'
dialogues and counts the name words that stay, and other words that changed.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import gzip
import io
import json
import random
import re
import runpy
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
from machine import describe

from llmsynth import pseudonymize
from llmsynth.errors import LlmsynthError
from llmsynth.personal_data.detection import detect
from llmsynth.tables.reading import read_table


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--tables", type=Path, nargs="+", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=200)
    options = parser.parse_args()
    print(time.strftime("%Y-%m-%d"), describe())
    planted(options.cases)
    texts(options.data, options.texts)
    real(options.tables)


def planted(cases: Path) -> None:
    """Recall on the invented columns."""
    with contextlib.redirect_stdout(io.StringIO()):
        made = runpy.run_path(str(cases / "c25_personal_headings.py"))
    columns = made["cols"]
    found = {
        what: detect(pa.table({name: made["pick"](values)}))
        for what, (name, values) in columns.items()
    }
    hit = [what for what, kinds in found.items() if kinds]
    missed = sorted(set(found) - set(hit))
    print(f"planted: {len(hit)} of {len(found)} kinds found; missed: {', '.join(missed) or 'none'}")


def real(folders: list[Path]) -> None:
    """What is found in real tables, by kind, and how much of it is wrong."""
    labels = json.loads((Path(__file__).parent / "personal_labels.json").read_text())
    wrong = {tuple(pair) for pair in labels["wrong"]}
    found: Counter[str] = Counter()
    mistaken: Counter[str] = Counter()
    files = sorted(path for folder in folders for path in folder.glob("*.csv*"))
    columns = unread = few = 0
    for path in files:
        try:
            table = read_table(path)
        except LlmsynthError:
            unread += 1
            continue
        columns += table.num_columns
        for column in detect(table):
            found[column.kind] += 1
            mistaken[column.kind] += (path.name, column.name) in wrong
            few += len(table[column.name].unique()) < 10
            print(f"  {path.name} {column.name}: {column.kind}, {column.why}")
    print(f"real: {len(files) - unread} tables, {columns} columns; {few} of fewer than ten levels")
    print("| kind | found | wrong |\n|---|---|---|")
    for kind, count in found.most_common():
        print(f"| {kind} | {count} | {mistaken[kind]} |")
    print(f"| all | {found.total()} | {mistaken.total()} |")
    print(f"missed by label: {len(labels['missed'])}")


def texts(data: Path, count: int) -> None:
    """Names that stay in columns and dialogues in small letters."""
    people = _rows(data / "relational" / "lahman_people.csv.gz")
    names = [(row["nameFirst"].lower(), row["nameLast"].lower()) for row in people]
    names = [pair for pair in names if all(re.fullmatch(r"[a-z]{3,}", word) for word in pair)]
    chosen = random.Random(0).sample(names, 2_000)
    table = pa.table({"first": [a for a, _ in chosen], "last": [b for _, b in chosen]})
    done = pseudonymize(table, texts=[], seed=1).table
    left = sum(a == b for n in table.column_names for a, b in zip(table[n], done[n], strict=True))
    print(f"columns in small letters: {left} of {2 * len(chosen)} cells stay")
    said = [row["dialogue"].lower() for row in _rows(data / "mts_dialog_notes.csv.gz")][:count]
    notes = [
        f"doctor: good morning, mr. {b}. patient: hi, my name is {a} {b}. {text} "
        f"doctor: bye, {a} {b}."
        for (a, b), text in zip(chosen, said, strict=False)
    ]
    for what, source in (
        ("alone", pa.table({"note": notes})),
        ("beside their columns", table.slice(0, len(notes)).append_column("note", pa.array(notes))),
    ):
        after = pseudonymize(source, texts=["note"], seed=2).table["note"].to_pylist()
        stay = others = words = 0
        for (a, b), before, new in zip(chosen, notes, after, strict=False):
            pairs = list(zip(re.findall(r"\w+", before), re.findall(r"\w+", new), strict=False))
            stay += sum(old == now for old, now in pairs if old in (a, b))
            others += sum(old != now for old, now in pairs if old not in (a, b))
            words += len(pairs)
        print(
            f"dialogues in small letters, {what}: {stay} of {5 * len(notes)} name words stay; "
            f"{others} of {words} other words changed"
        )


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
