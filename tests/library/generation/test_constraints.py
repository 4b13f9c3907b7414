"""Declared constraints: which rows break them, which tokens they leave, which totals they write."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest
import torch

from llmsynth.codec.row_language import RowLanguage
from llmsynth.errors import SchemaError
from llmsynth.generation.computed_columns import with_computed
from llmsynth.generation.constraints import ConstraintMasks, with_combinations
from llmsynth.schema import (
    BooleanColumn,
    CategoryColumn,
    Column,
    Constraint,
    DateColumn,
    DatetimeColumn,
    FixedCombinations,
    IdentifierColumn,
    Inequality,
    MissingExactlyWhen,
    NumberColumn,
    Sum,
    TableSchema,
)
from llmsynth.synthesizers.preparation import prepare
from llmsynth.tables.broken_rows import violations

TOWN = CategoryColumn(name="town", categories=("Bonn", "Ulm"))
STATE = CategoryColumn(name="state", categories=("BW", "NW", "SN"), nullable=True)
PRICE = NumberColumn(name="price", minimum="0", maximum="3", nullable=True)
PAIRS = FixedCombinations(
    columns=("town", "state"), combinations=(("Bonn", "NW"), ("Bonn", None), ("Ulm", "BW"))
)
FREE = MissingExactlyWhen(column="price", when="state", equals="SN")
NOT_YET = -1


def masks(*constraints: Constraint, columns: tuple[Column, ...] = (TOWN, STATE, PRICE)):
    schema = TableSchema(columns=columns, constraints=constraints)
    return ConstraintMasks(RowLanguage(schema))


def tokens(mask: torch.Tensor | None) -> list[list[int]]:
    assert mask is not None
    return [row.nonzero()[:, 0].tolist() for row in mask]


def test_combinations_leave_what_goes_with_the_columns_already_written() -> None:
    mask = masks(PAIRS)
    bonn, ulm, nothing = [0, NOT_YET, NOT_YET], [1, NOT_YET, NOT_YET], [NOT_YET] * 3
    missing = 3
    assert tokens(mask(1, torch.tensor([bonn, ulm, nothing]))) == [
        [1, missing],
        [0],
        [0, 1, missing],
    ]


def test_combinations_work_in_the_other_order_too() -> None:
    written = torch.tensor([[NOT_YET, 1, NOT_YET], [NOT_YET, 0, 2], [NOT_YET, 3, 0]])
    assert tokens(masks(PAIRS)(0, written)) == [[0], [1], [0]]


def test_a_row_that_no_combination_can_complete_is_written_freely() -> None:
    assert tokens(masks(PAIRS)(0, torch.tensor([[NOT_YET, 2, 0]]))) == [[0, 1]]


def test_columns_that_no_constraint_names_get_no_mask() -> None:
    assert masks(PAIRS)(2, torch.tensor([[0, 1, NOT_YET]])) is None
    assert masks()(0, torch.tensor([[NOT_YET] * 3])) is None


def test_a_cell_is_missing_exactly_when_the_other_says_so() -> None:
    missing = 4
    written = torch.tensor([[0, 2, NOT_YET], [0, 1, NOT_YET], [0, NOT_YET, NOT_YET]])
    assert tokens(masks(FREE)(2, written)) == [[missing], [0, 1, 2, 3], [0, 1, 2, 3, missing]]
    written = torch.tensor([[0, NOT_YET, missing], [0, NOT_YET, 2], [0, NOT_YET, NOT_YET]])
    assert tokens(masks(FREE)(1, written)) == [[2], [0, 1, 3], [0, 1, 2, 3]]


def test_two_constraints_of_a_column_both_hold() -> None:
    written = torch.tensor([[0, NOT_YET, 2], [1, NOT_YET, 4]])
    no_bw = MissingExactlyWhen(column="price", when="state", equals="NW")
    assert tokens(masks(PAIRS, no_bw)(1, written)) == [[3], [0, 1, 2, 3]]


def test_a_number_of_several_digit_groups_is_narrowed_by_its_first() -> None:
    number = NumberColumn(name="price", minimum="0", maximum="99999")
    pairs = FixedCombinations(columns=("town", "price"), combinations=(("Bonn", "12345"),))
    mask = masks(pairs, columns=(TOWN, number))
    first = RowLanguage(TableSchema(columns=(number,))).encode(pa.table({"price": [12_345]}))[0, 0]
    assert tokens(mask(1, torch.tensor([[0, -1, -1, -1]]))) == [[int(first)]]


def test_cells_that_the_language_lost_are_no_combination() -> None:
    rare = FixedCombinations(
        columns=("town", "state"), combinations=(("Bonn", "XX"), ("Ulm", "BW"), ("Köln", "NW"))
    )
    assert tokens(masks(rare)(0, torch.tensor([[NOT_YET] * 3]))) == [[1]]
    gone = MissingExactlyWhen(column="price", when="state", equals="XX")
    assert masks(gone)(2, torch.tensor([[0, 1, NOT_YET]])) is None


ROWS = pa.table(
    {
        "town": ["Bonn", "Bonn", "Ulm", "Ulm"],
        "state": ["NW", None, "NW", "SN"],
        "price": pa.array([1, None, 3, None], pa.int64()),
        "low": pa.array([1, 2, None, 4]),
        "high": pa.array([1, 3, 0, 3]),
        "part": pa.array([0.1, 0.2, None, 1e9]),
        "other": pa.array([0.2, 0.2, 1.0, 0.1]),
        "total": pa.array([0.3, 0.5, 9.0, 1e9 + 0.1]),
        "from": pa.array([dt.date(2020, 1, d) for d in (1, 2, 3, 4)]),
        "to": pa.array([dt.date(2020, 1, d) for d in (1, 1, 4, 5)], pa.date64()),
    }
)


@pytest.mark.parametrize(
    ("constraint", "broken"),
    [
        (Inequality(low="low", high="high"), [False, False, False, True]),
        (Inequality(low="low", high="high", strict=True), [True, False, False, True]),
        (Inequality(low="low", high="total"), [True, True, False, False]),
        (Inequality(low="from", high="to"), [False, True, False, False]),
        (Sum(parts=("part", "other"), total="total"), [False, True, False, False]),
        (Sum(parts=("low",), total="high"), [False, True, False, True]),
        (FREE, [False, True, False, False]),
        (MissingExactlyWhen(column="price", when="town", equals="Ulm"), [False, True, True, False]),
        (PAIRS, [False, False, True, True]),
    ],
)
def test_rows_that_break_a_constraint_are_told(constraint: Constraint, broken: list[bool]) -> None:
    assert violations(ROWS, constraint).tolist() == broken
    assert violations(ROWS.slice(0, 0), constraint).tolist() == []


def test_large_whole_sums_are_checked_to_the_last_digit() -> None:
    rows = pa.table({"a": [2**60, 2**60], "b": [1, 1], "t": [2**60 + 1, 2**60 + 2]})
    assert violations(rows, Sum(parts=("a", "b"), total="t")).tolist() == [False, True]


def totals(
    parts: list[list[object]], drawn: list[object], columns: tuple[NumberColumn, ...]
) -> list[object]:
    from_types = {"int64": pa.int64(), "int8": pa.int8(), "double": pa.float64()}
    kinds = [from_types.get(c.storage, pa.decimal128(38, 2)) for c in columns]
    arrays = [pa.array(v, kind) for v, kind in zip([*parts, drawn], kinds, strict=True)]
    table = pa.table(arrays, names=[c.name for c in columns])
    *names, total = (c.name for c in columns)
    schema = TableSchema(columns=columns, constraints=(Sum(parts=tuple(names), total=total),))
    filled = with_computed(table, schema, [])
    assert filled.schema == table.schema
    assert with_computed(table, schema, [total]) is table
    return filled[total].to_pylist()


def number(name: str, maximum: str, **fields: object) -> NumberColumn:
    return NumberColumn(name=name, minimum="-10", maximum=maximum, nullable=True, **fields)  # type: ignore[arg-type]


def test_a_total_is_computed_in_its_own_decimals() -> None:
    cents = {"storage": "double", "scale": 2}
    columns = (number("a", "9", storage="double", scale=1), number("b", "9", **cents))
    columns += (number("t", "18", **cents),)
    assert totals([[0.1, 1.5], [0.2, 0.25]], [9.0, 9.0], columns) == [0.3, 1.75]


def test_a_total_keeps_what_was_drawn_where_it_cannot_hold_the_sum() -> None:
    columns = (number("a", "100"), number("b", "100"), number("t", "120", storage="int8"))
    drawn = [1, 2, 3, None]
    assert totals([[70, 60, None, 5], [70, 60, 4, 5]], drawn, columns) == [1, 120, 3, None]
    tens = (number("a", "100"), number("b", "100"), number("t", "200", trailing_zeros=1))
    assert totals([[7, 5], [3, 4]], [50, 60], tens) == [10, 60]


def test_sums_beyond_a_double_are_exact() -> None:
    huge = {"storage": "decimal128(38, 2)", "scale": 2}
    columns = (number("a", "1e30", **huge), number("b", "9"), number("t", "1e31", **huge))
    part = Decimal("123456789012345678901234567890.12")
    assert totals([[part], [7]], [Decimal(0)], columns) == [
        Decimal("123456789012345678901234567897.12")
    ]


def filled(table: pa.Table, *columns: Column, constraint: Constraint, floor: int = 2) -> Constraint:
    schema = TableSchema(columns=columns, constraints=(constraint,))
    return with_combinations(table, schema, floor=floor).constraints[0]


def test_combinations_are_learned_from_the_table_unless_too_few_rows_hold_them() -> None:
    columns = (TOWN, STATE)
    table = pa.table(
        {"town": ["Ulm"] * 4 + ["Bonn"] * 3, "state": ["BW", "BW", None, None, "NW", "NW", "SN"]}
    )
    learned = filled(table, *columns, constraint=FixedCombinations(columns=("state", "town")))
    assert isinstance(learned, FixedCombinations)
    assert set(learned.combinations) == {("BW", "Ulm"), (None, "Ulm"), ("NW", "Bonn")}
    assert violations(table, learned).tolist() == [False] * 6 + [True]
    with pytest.raises(SchemaError, match="held by 4 rows or more"):
        filled(table, *columns, constraint=FixedCombinations(columns=("state", "town")), floor=4)


def test_a_column_may_be_called_like_the_count() -> None:
    column = CategoryColumn(name="count_all", categories=("a",))
    learned = filled(
        pa.table({"count_all": ["a", "a"]}),
        column,
        constraint=FixedCombinations(columns=("count_all",)),
    )
    assert learned == FixedCombinations(columns=("count_all",), combinations=(("a",),))


def test_texts_of_declared_constraints_are_read_as_cells_of_their_columns() -> None:
    flag = BooleanColumn(name="flag", true_text="Yes", false_text="No")
    day = DateColumn(name="day", minimum="2020-01-01", maximum="2020-12-31", format="%d.%m.%Y")
    price = NumberColumn(
        name="price", storage="double", scale=1, minimum="0", maximum="9", nullable=True
    )
    table = pa.table(
        {"flag": [True, False], "day": [dt.date(2020, 1, 31)] * 2, "price": [None, 1.0]}
    )
    rule = MissingExactlyWhen(column="price", when="flag", equals="Yes")
    rule = filled(table, flag, day, price, constraint=rule)
    assert violations(table, rule).tolist() == [False, False]
    declared = FixedCombinations(columns=("day", "price"), combinations=(("31.01.2020", "1.0"),))
    learned = filled(table, flag, day, price, constraint=declared)
    assert violations(table, learned).tolist() == [True, False]


@pytest.mark.parametrize(
    ("constraint", "reason"),
    [
        (
            MissingExactlyWhen(column="price", when="flag", equals="maybe"),
            "'maybe' in column 'flag'",
        ),
        (MissingExactlyWhen(column="id", when="flag", equals="true"), "which is identifier"),
        (Inequality(low="local", high="zoned"), "only one has a time zone"),
    ],
)
def test_a_constraint_that_no_row_can_be_held_to_is_refused_at_once(
    constraint: Constraint, reason: str
) -> None:
    columns = (
        BooleanColumn(name="flag"),
        PRICE,
        IdentifierColumn(name="id"),
        DatetimeColumn(name="local"),
        DatetimeColumn(name="zoned", storage="timestamp[us, tz=UTC]"),
    )
    with pytest.raises(SchemaError, match=reason):
        filled(pa.table({}), *columns, constraint=constraint)


def test_cells_filled_in_for_rare_ones_make_no_combination() -> None:
    towns = ["Bonn"] * 30 + ["Ulm"] * 30 + [f"hamlet {i}" for i in range(10)]
    states = ["NW"] * 30 + ["BW"] * 30 + ["SN"] * 10
    schema = TableSchema(
        columns=(
            CategoryColumn(name="town", categories=tuple(sorted(set(towns)))),
            CategoryColumn(name="state", categories=("BW", "NW", "SN")),
        ),
        constraints=(FixedCombinations(columns=("town", "state")),),
    )
    table = pa.table({"town": towns, "state": states})
    prepared = prepare(table, schema, target=None, keep_rare=False, drop_text=False)
    learned = prepared.language.schema.constraints[0]
    assert isinstance(learned, FixedCombinations)
    assert set(learned.combinations) == {("Bonn", "NW"), ("Ulm", "BW")}
