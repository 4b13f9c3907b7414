"""Membership inference on numbers as text: a synthetic row that repeats a row's digits."""

from __future__ import annotations

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import CodedTable
from llmsynth_eval.metric import Measurement
from llmsynth_eval.privacy.distances import Distances
from llmsynth_eval.privacy.evidence import Finding
from llmsynth_eval.privacy.membership import attack

NUM_ATTACKED = 2_000
NUM_STRINGS = 20_000
BLOCK_ROWS = 200


def digit_attack(distances: Distances) -> Finding:
    """Guess "member" for rows whose digits a synthetic row repeats with few edits.

    The score is the least edit distance over the longer length, negated. Language models leak
    digits that a distance of values does not see.

    Source: the no-box attack of "When Tables Leak" (2025), arXiv 2512.08875.
    """
    strings = digit_strings(distances.synthetic)[:NUM_STRINGS]
    if not strings[0]:
        note = "The digit-string attack is not measured: no column is numeric."
        return Finding(measurement=Measurement(notes=(note,)))
    members, others = (
        -least_edits(digit_strings(table)[:NUM_ATTACKED], strings)
        for table in (distances.train, distances.holdout)
    )
    found = attack(
        members,
        others,
        name="mia_digits",
        title="Membership by digit strings",
        meaning="the fewer edits to a synthetic row's digits, the likelier a member",
    )
    note = (
        f"The digit-string attack compares {len(members):,} train and {len(others):,} holdout "
        f"rows with {len(strings):,} synthetic rows."
    )
    return Finding(
        measurement=Measurement(
            figures=found.measurement.figures, curves=found.measurement.curves, notes=(note,)
        ),
        evidence=found.evidence,
    )


def digit_strings(table: CodedTable) -> list[str]:
    """The numeric cells of each row as one text, cells apart by commas, missing ones empty."""
    numeric = [n for n, column in enumerate(table.columns) if column.is_numeric]
    cells = [[_digits(value) for value in table.cells[:, n].tolist()] for n in numeric]
    return [",".join(row) for row in zip(*cells, strict=True)] if cells else [""] * table.num_rows


def least_edits(strings: list[str], others: list[str]) -> Floats:
    """Least edit distance of each string to the others, over the longer of the two lengths."""
    out = np.empty(len(strings))
    for start in range(0, len(strings), BLOCK_ROWS):
        block = strings[start : start + BLOCK_ROWS]
        shares = cdist(block, others, scorer=Levenshtein.normalized_distance, dtype=np.float32)
        out[start : start + len(block)] = shares.min(axis=1)
    return out


def _digits(value: float) -> str:
    return "" if value != value else f"{value:.12g}"
