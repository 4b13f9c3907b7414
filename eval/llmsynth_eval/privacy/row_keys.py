"""One 64-bit key per row: equal rows have equal keys, whatever the order of rows or columns."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from llmsynth_eval.coded_table import CodedTable, Codes
from llmsynth_eval.scrambling import scrambled

Keys = NDArray[np.uint64]

_ODD = np.uint64(0x9E3779B97F4A7C15)
_NAN = np.uint64(0x7FF8000000000000)


def mix(values: Keys) -> Keys:
    """Scramble 64-bit words one to one, 0 among them."""
    return scrambled(values + _ODD)


def salt(*words: object) -> np.uint64:
    """A 64-bit word that stands for a column name, a role, a seed."""
    digest = hashlib.blake2b(repr(words).encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def cell_keys(table: CodedTable, number: int) -> Keys:
    """Keys of one column's cells, shape (rows,); every missing number has the same key."""
    values = np.ascontiguousarray(table.cells[:, number])
    bits = values.view(np.uint64).copy()
    bits[np.isnan(values)] = _NAN
    return mix(mix(bits) ^ salt(table.columns[number].name))


def row_keys(table: CodedTable, columns: Codes | None = None) -> Keys:
    """Keys of the rows over the chosen column positions (default all), shape (rows,).

    A sum of cell keys modulo 2^64, so that keys of disjoint column sets add up. Two different
    rows share a key with probability 2^-64: about 1e-7 for a million rows against a million.
    """
    chosen = range(len(table.columns)) if columns is None else columns
    out = np.zeros(table.num_rows, dtype=np.uint64)
    for number in chosen:
        out += cell_keys(table, int(number))
    return out


def canonical_positions(table: CodedTable, *, most: int, seed: int, role: str) -> Codes:
    """At most `most` row positions, drawn without replacement, in an order of their own.

    Both the draw and the order follow from the rows' contents, the seed and the role alone:
    a table with its rows or columns in another order gives the same rows in the same order.
    Equal rows are told apart by their count, so that one may be drawn and its twin not.
    """
    keys = row_keys(table)
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    first = np.maximum.accumulate(np.where(starts, np.arange(len(keys)), 0))
    occurrence = (np.arange(len(keys)) - first).astype(np.uint64)
    priority = mix(mix(ordered ^ salt(seed, role)) ^ occurrence)
    chosen: Codes = order[np.argsort(priority, kind="stable")[:most]]
    return chosen


def canonical_rows(table: CodedTable, positions: Codes) -> CodedTable:
    """The chosen rows, columns sorted by name: float sums then come out alike to the last digit."""
    order = sorted(range(len(table.columns)), key=lambda n: table.columns[n].name)
    chosen = table.take(positions)
    return CodedTable(
        columns=tuple(table.columns[n] for n in order),
        cells=chosen.cells[:, order],
        places=chosen.places,
    )


def row_label(table: CodedTable, role: str, row: int) -> str:
    """How a listing names a row: its number in the table as it was given, first row 1."""
    place = row if table.places is None else int(table.places[row])
    return f"{role} row {place + 1}"
