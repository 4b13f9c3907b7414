"""Numbers: every value between the bounds has its tokens, and no other value has any."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.codec.calendar_code import CalendarCode
from llmsynth.codec.category_code import CategoryCode
from llmsynth.codec.column_code import END, SKIPPED
from llmsynth.codec.number_code import NumberCode
from llmsynth.schema import CategoryColumn, DateColumn, NumberColumn


def walks(code: NumberCode, state: int = 0) -> Iterator[list[int]]:
    """Every cell that the automaton can write."""
    for token in np.flatnonzero(code.automaton.allowed[state]).tolist():
        following = int(code.automaton.following[state, token])
        rest = [[]] if following == END else walks(code, following)
        for tail in rest:
            yield [token, *tail]


def tokens_of(code: NumberCode) -> np.ndarray:
    width = len(code.place_sizes)
    rows = [walk + [SKIPPED] * (width - len(walk)) for walk in walks(code)]
    return np.array(rows, dtype=np.int32)


@pytest.mark.parametrize(
    ("minimum", "maximum"),
    [
        (5, 9),
        (-9, -5),
        (0, 0),
        (7, 7),
        (-7, -7),
        (-1, 0),
        (0, 1),
        (-12, 9),
        (997, 2345),
        (-2345, -997),
        (-1234, 2345),
        (995, 12_003),
        (99_999, 100_000),
        (98_765, 101_234),
        (-1000, 1000),
    ],
)
def test_the_automaton_writes_every_whole_number_between_the_bounds_once(
    minimum: int, maximum: int
) -> None:
    column = NumberColumn(name="x", minimum=str(minimum), maximum=str(maximum))
    code = NumberCode(column)
    written = code.decode(tokens_of(code)).to_pylist()
    assert sorted(written) == list(range(minimum, maximum + 1))
    pattern = re.compile(code.regex())
    assert all(pattern.fullmatch(code.text(value)) for value in written)
    width = len(code.text(minimum)) - (minimum < 0)
    signs = ("+", "-") if minimum < 0 else ("",)
    everything = {
        f"{sign}{value:0{width}d}" for value in range(10 ** min(width, 4)) for sign in signs
    }
    known = {code.text(value) for value in written}
    assert {text for text in everything if pattern.fullmatch(text)} == known & everything


def test_numbers_are_spelled_in_a_fixed_layout() -> None:
    wage = NumberColumn(name="x", storage="double", scale=2, minimum="-5", maximum="1234.5")
    assert [NumberCode(wage).text(v) for v in (-5.0, 0.0, -0.0, 0.5, 1234.5)] == [
        "-0005.00",
        "+0000.00",
        "+0000.00",
        "+0000.50",
        "+1234.50",
    ]
    assert NumberCode(wage).text(0.1 + 0.7) == "+0000.80"
    gain = NumberColumn(name="x", minimum="0", maximum="99999")
    assert NumberCode(gain).text(2174) == "02174"
    share = NumberColumn(name="x", storage="double", scale=4, minimum="0", maximum="0.25")
    assert NumberCode(share).text(0.25) == "0.2500"


@pytest.mark.parametrize(
    ("scale", "zeros", "value", "text"),
    [
        (0, 3, 5000, "0005000"),
        (2, 1, 12.5, "0012.50"),
        (2, 2, 12.0, "0012.00"),
        (2, 3, 120.0, "0120.00"),
        (1, 0, 0.7, "0000.7"),
    ],
)
@pytest.mark.parametrize("storage", ["double", "float"])
def test_trailing_zeros_are_written_but_cost_no_tokens(
    scale: int, zeros: int, value: float, text: str, storage: str
) -> None:
    maximum = "1234000" if scale == 0 else "1230"
    bounds = {"minimum": "0", "maximum": maximum}
    full = NumberColumn(name="x", storage=storage, scale=scale, **bounds)
    code = NumberCode(
        NumberColumn(name="x", storage=storage, scale=scale, trailing_zeros=zeros, **bounds)
    )
    cell = pa.array([value], code.grid.cells(np.array([0]), np.array([True])).type)[0].as_py()
    assert code.text(cell) == text == NumberCode(full).text(cell)
    assert code.cell(text, quoted=False) == cell
    assert sum(code.place_sizes) <= sum(NumberCode(full).place_sizes)


def test_a_frequent_value_is_one_token_with_the_same_text_as_its_digits() -> None:
    bounds = {"minimum": "-1", "maximum": "99999"}
    column = NumberColumn(name="x", frequent=("0", "-1", "7298", "0"), **bounds)
    code, plain = NumberCode(column), NumberCode(NumberColumn(name="x", **bounds))
    cells = pa.array([-1, 0, 7298, 7299])
    tokens = code.encode(cells)
    assert tokens[:3, 0].tolist() == [0, 1, 2]
    assert (tokens[:3, 1:] == SKIPPED).all()
    assert (tokens[3] != SKIPPED).all()
    assert code.decode(tokens).equals(cells)
    assert [code.token_text(0, token) for token in range(3)] == ["-00001", "+00000", "+07298"]
    spelled = plain.encode(cells)
    spelled[:, 0] += 3
    assert code.decode(spelled).equals(cells)


def test_frequent_values_beyond_the_bounds_or_of_short_columns_get_no_token() -> None:
    column = NumberColumn(name="x", minimum="0", maximum="5000", frequent=("7000", "12"))
    assert NumberCode(column).token_text(0, 0) == "0012"
    short = NumberColumn(name="x", minimum="0", maximum="8", frequent=("5",))
    assert NumberCode(short).place_sizes == (9,)
    assert not re.fullmatch(NumberCode(short).regex(), "9")


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=6))
def test_doubles_of_any_precision_come_back_exactly(values: list[float]) -> None:
    texts = [format(Decimal(repr(value)), "f") for value in values]
    scale = min(max(len(text.partition(".")[2]) for text in texts), 40)
    cells = pa.array([round(value, scale) for value in values])
    low, high = (format(Decimal(repr(f(cells.to_pylist()))), "f") for f in (min, max))
    column = NumberColumn(name="x", storage="double", scale=scale, minimum=low, maximum=high)
    code = NumberCode(column)
    assert code.decode(code.encode(cells)).equals(cells)
    for cell in cells.to_pylist():
        assert code.cell(code.text(cell), quoted=False) == cell


def test_digits_that_a_double_cannot_tell_apart_still_lead_to_cells_within_bounds() -> None:
    column = NumberColumn(
        name="x", storage="double", scale=4, minimum="-0.5", maximum="99999999999999.98"
    )
    code = NumberCode(column)
    chance = np.random.default_rng(0)
    rows = []
    for _ in range(300):
        row, state = [SKIPPED] * len(code.place_sizes), 0
        while state != END:
            token = int(chance.choice(np.flatnonzero(code.automaton.allowed[state])))
            row[code.automaton.place[state]] = token
            state = int(code.automaton.following[state, token])
        rows.append(row)
    cells = code.decode(np.array(rows, dtype=np.int32))
    assert code.decode(code.encode(cells)).equals(cells)


@pytest.mark.parametrize(
    ("storage", "values"),
    [
        ("decimal128(38, 0)", [Decimal(10**38 - 1), Decimal(-(10**37) - 7), Decimal(5)]),
        ("decimal128(38, 10)", [Decimal("1234567890123456789012345678.0123456789"), Decimal(0)]),
        ("uint64", [2**64 - 1, 2**63, 0]),
        ("int64", [2**63 - 1, -(2**63), -1]),
    ],
)
def test_more_digits_than_a_machine_number_holds_are_kept(
    storage: str, values: list[Decimal | int]
) -> None:
    scale = 10 if storage.endswith("10)") else 0
    column = NumberColumn(
        name="x", storage=storage, scale=scale, minimum=str(min(values)), maximum=str(max(values))
    )
    code = NumberCode(column)
    kind = code.grid.cells(np.array([0]), np.array([True])).type
    cells = pa.array(values, kind)
    assert code.decode(code.encode(cells)).equals(cells)
    assert [code.cell(code.text(value), quoted=False) for value in values] == values


def test_zeros_of_large_round_numbers_do_not_overflow() -> None:
    values = pa.array([1.5e20, 3e20, 2.7e21])
    column = NumberColumn(
        name="x",
        storage="double",
        minimum="150000000000000000000",
        maximum="2700000000000000000000",
        trailing_zeros=19,
    )
    code = NumberCode(column)
    assert code.decode(code.encode(values)).equals(values)


def test_tokens_lie_on_the_number_line_in_the_order_of_what_they_stand_for() -> None:
    column = NumberColumn(
        name="x",
        storage="double",
        scale=1,
        minimum="-500",
        maximum="99999",
        trailing_zeros=2,
        frequent=("10", "-20"),
        nullable=True,
    )
    code = NumberCode(column)
    values = code.token_values(0)
    assert values[:2].tolist() == [-2, 1]
    assert np.isnan(values[-1])
    assert len(values) == code.place_sizes[0]
    # One group of negatives, then those from zero on.
    assert values[2] < 0 < values[3]
    assert np.all(np.diff(values[3:-1]) == code.tail_unit)
    assert all(0 < v < 1 for v in code.token_values(1))


def test_years_and_months_lie_on_the_number_line_and_a_missing_date_does_not() -> None:
    day = DateColumn(name="x", minimum="2019-05-01", maximum="2021-01-01", nullable=True)
    code = CalendarCode(day)
    assert np.nan_to_num(code.token_values(0), nan=-1).tolist() == [0, 1, 2, -1]
    assert code.token_values(1).tolist() == list(range(12))
    assert CategoryCode(CategoryColumn(name="x", categories=("a",))).token_values(0) is None
