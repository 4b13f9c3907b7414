"""What the digits of a double tell, on rows counted by hand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from llmsynth.codec.float_digits import DigitEvidence, digit_evidence
from llmsynth.codec.number_code import NumberCode
from llmsynth.schema import NumberColumn, infer_schema


def evidence(values: pa.Array) -> tuple[NumberCode, DigitEvidence]:
    (column,) = infer_schema(pa.table({"x": values})).columns
    assert isinstance(column, NumberColumn)
    code = NumberCode(column)
    return code, digit_evidence(code, code.encode(values))


def test_digits_behind_the_eleventh_of_a_computed_number_only_spell_it() -> None:
    # Layout +d.dddddddddddddddd: 17 digits. 1/3 begins at the second, so it tells up to the 12th.
    code, found = evidence(pa.array([2 / 3, 1 / 3, 5 / 3]))
    assert sum(code.widths) == 17
    ends = np.cumsum(code.widths)
    assert found.beyond.tolist() == [
        (ends > 12).tolist(),
        (ends > 12).tolist(),
        (ends > 11).tolist(),
    ]
    assert (found.told == ~found.beyond).all()


def test_many_round_numbers_tell_all_their_digits() -> None:
    _, found = evidence(pa.array([2 / 3, 0.25, 5 / 3]))
    assert not found.beyond[1].any()
    assert found.told[1].all()


def test_few_round_numbers_among_computed_ones_tell_nothing() -> None:
    values = np.random.default_rng(0).random(100)
    values[7] = 0.25
    _, found = evidence(pa.array(values))
    assert not found.told[7].any()
    assert found.told[8, 0]


def test_whole_numbers_and_decimals_tell_all_their_digits() -> None:
    for values in (
        pa.array([123_456_789_012_345, 5]),
        pa.array([12345678901234, 5], pa.decimal128(30, 10)),
    ):
        _, found = evidence(values)
        assert found.told.all()
        assert not found.beyond.any()


def test_missing_and_frequent_cells_use_one_place() -> None:
    column = NumberColumn(
        name="x", storage="double", scale=14, minimum="0", maximum="2", frequent=("0",),
        nullable=True,
    )  # fmt: skip
    code = NumberCode(column)
    values = pa.array([0.33333333333333, 0.0, None])
    found = digit_evidence(code, code.encode(values))
    assert not found.beyond[1:].any()
    assert not found.told[1:, 1:].any()
