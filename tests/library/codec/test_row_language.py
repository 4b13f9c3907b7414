"""The row language: text, grammar, parser and tokens of any row agree with each other."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsynth.codec.column_code import END, SKIPPED, ColumnCode
from llmsynth.codec.row_language import RowLanguage
from llmsynth.schema import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    DatetimeColumn,
    IdentifierColumn,
    NumberColumn,
    TableSchema,
    TextColumn,
)
from llmsynth.schema.storage import arrow_type

ODD_TEXTS = (
    *("null", "", "=", "a=b", "<=50K", "; ", "a;b", '"', '"q"', "\\", "a\\n", "\n", "\t", " lead"),
    *("trail ", "NA", "NaN", "007", "1.50", "é", "e\u0301", "日本", "🎉", "\x00", "\x1f", "\x7f"),
    *("\x85", "\xa0", "\u2028", "null ", "[a-z]", "(?:x)|y", "~", "a b", "#&-/", "²"),
)
TEXTS = st.sampled_from(ODD_TEXTS) | st.text(max_size=12)
STEPS = {"minute": 60 * 10**6, "second": 10**6, "millisecond": 1000, "microsecond": 1}
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}

Drawn = tuple[Column, st.SearchStrategy[object]]


def decimal_text(units: int, scale: int) -> str:
    digits = str(abs(units)).zfill(scale + 1)
    point = f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits
    return ("-" if units < 0 else "") + point


@st.composite
def number_columns(draw: st.DrawFn, name: str) -> Drawn:
    storage, most_digits, least = draw(
        st.sampled_from(
            [
                ("int64", 18, -1),
                ("int64", 4, -1),
                ("uint64", 19, 0),
                ("int16", 4, -1),
                ("double", 15, -1),
                ("double", 6, -1),
                ("float", 6, -1),
                ("decimal128(38, 12)", 26, -1),
                ("decimal128(38, 0)", 38, -1),
            ]
        )
    )
    has_point = storage in ("double", "float", "decimal128(38, 12)")
    scale = draw(st.integers(0, min(12, most_digits))) if has_point else 0
    zeros = draw(st.integers(0, min(3, most_digits - 1)))
    largest = 10 ** draw(st.integers(0, most_digits - zeros)) - 1
    ends = sorted(draw(st.tuples(*[st.integers(least * largest, largest)] * 2)))
    units = st.integers(*ends)
    texts = units.map(lambda unit: decimal_text(unit * 10**zeros, scale))
    column = NumberColumn(
        name=name,
        storage=storage,
        nullable=draw(st.booleans()),
        scale=scale,
        trailing_zeros=zeros,
        minimum=decimal_text(ends[0] * 10**zeros, scale),
        maximum=decimal_text(ends[1] * 10**zeros, scale),
        frequent=tuple(draw(st.lists(texts, max_size=4))),
    )
    return column, texts


@st.composite
def category_columns(draw: st.DrawFn, name: str) -> Drawn:
    storage, values = draw(
        st.sampled_from(
            [
                ("string", TEXTS),
                ("int64", st.integers(-5, 2**40).map(str)),
                ("double", st.sampled_from(["1", "2.5", "1e+16", "-0.25"])),
            ]
        )
    )
    texts = draw(st.lists(values, min_size=1, max_size=12, unique=True))
    nullable = draw(st.booleans())
    column = CategoryColumn(name=name, storage=storage, nullable=nullable, categories=tuple(texts))
    return column, st.sampled_from(texts)


def boolean_columns(name: str) -> st.SearchStrategy[Drawn]:
    columns = st.booleans().map(lambda nullable: BooleanColumn(name=name, nullable=nullable))
    return columns.map(lambda column: (column, st.booleans()))


@st.composite
def date_columns(draw: st.DrawFn, name: str) -> Drawn:
    first = draw(st.integers(-719_162, 2_000_000))
    last = first + draw(st.integers(0, 700_000))
    column = DateColumn(
        name=name,
        storage=draw(st.sampled_from(["date32[day]", "date64[ms]"])),
        nullable=draw(st.booleans()),
        minimum=str(np.datetime64(first, "D")),
        maximum=str(np.datetime64(last, "D")),
    )
    return column, st.integers(first, last).map(lambda day: np.datetime64(day, "D").item())


@st.composite
def datetime_columns(draw: st.DrawFn, name: str) -> Drawn:
    resolution = draw(st.sampled_from(sorted(STEPS)))
    finest = {"millisecond": 1, "microsecond": 2}.get(resolution, 0)
    unit = draw(st.sampled_from(["s", "ms", "us", "ns"][finest:]))
    zone = draw(st.sampled_from(["", ", tz=UTC", ", tz=Europe/Berlin", ", tz=America/New_York"]))
    is_far = unit != "ns" and not zone
    step = STEPS[resolution]
    least, most = (-62_135_596_800, 250_000_000_000) if is_far else (-2_000_000_000, 4_000_000_000)
    first = draw(st.integers(least * 10**6 // step, most * 10**6 // step))
    last = min(first + draw(st.integers(0, 10**18 // step)), most * 10**6 // step)
    last = min(last, first + 1900 * 365 * 86400 * 10**6 // step)
    column = DatetimeColumn(
        name=name,
        storage=f"timestamp[{unit}{zone}]",
        nullable=draw(st.booleans()),
        resolution=resolution,
        minimum=str(np.datetime64(first * step, "us")),
        maximum=str(np.datetime64(last * step, "us")),
    )
    ticks = st.integers(first, last).map(lambda t: t * step * PER_SECOND[unit] // 10**6)
    return column, ticks


@st.composite
def identifier_columns(draw: st.DrawFn, name: str) -> Drawn:
    pattern, storage = draw(
        st.sampled_from(
            [
                (r"\d{8}", "string"),
                (r"[A-Z]{2,4}-\d{1,3}", "string"),
                (r"""a\.\\\d"["'x-z]""", "string"),
                ("\t[0-9a-f]{4}é\x7f", "string"),
                (r"[1-9]\d{0,4}", "int64"),
            ]
        )
    )
    column = IdentifierColumn(
        name=name, pattern=pattern, storage=storage, nullable=draw(st.booleans())
    )
    alphabet = st.characters(codec="ascii") | st.just("é")
    return column, st.from_regex(pattern, fullmatch=True, alphabet=alphabet)


@st.composite
def text_columns(draw: st.DrawFn, name: str) -> Drawn:
    longest = draw(st.integers(0, 30))
    column = TextColumn(name=name, maximum_length=longest, nullable=draw(st.booleans()))
    return column, TEXTS.filter(lambda text: len(text) <= longest)


KINDS = (
    number_columns,
    category_columns,
    boolean_columns,
    date_columns,
    datetime_columns,
    identifier_columns,
    text_columns,
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[TableSchema, pa.Table]:
    """A schema of every kind of column, twice as many numbers, and a few rows of it."""
    kinds = draw(st.permutations((*KINDS, number_columns)))
    names = draw(
        st.lists(TEXTS.filter(bool), min_size=len(kinds), max_size=len(kinds), unique=True)
    )
    num_rows = draw(st.integers(1, 4))
    columns, arrays = [], []
    for kind, name in zip(kinds, names, strict=True):
        column, cells = draw(kind(name))
        columns.append(column)
        arrays.append(array(column, draw_cells(draw, column, cells, num_rows)))
    schema = TableSchema(columns=tuple(columns))
    return schema, pa.table(arrays, names=list(schema.names))


def draw_cells(
    draw: st.DrawFn, column: Column, cells: st.SearchStrategy[object], count: int
) -> list[object]:
    strategy = st.none() | cells if column.nullable else cells
    return draw(st.lists(strategy, min_size=count, max_size=count))


def array(column: Column, cells: Sequence[object]) -> pa.Array:
    kind = arrow_type(column.storage)
    if any(isinstance(cell, str) for cell in cells):
        return pa.array(cells, pa.string()).cast(kind)
    return pa.array(cells, kind)


@given(tables(), st.randoms())
@settings(max_examples=50)
def test_a_row_comes_back_from_its_text_whatever_the_order_of_its_columns(
    drawn: tuple[TableSchema, pa.Table], shuffler: random.Random
) -> None:
    schema, table = drawn
    language = RowLanguage(schema)
    order = list(schema.names)
    shuffler.shuffle(order)
    texts = [language.serialize(row, order) for row in table.to_pylist()]
    parsed = [language.parse(text) for text in texts]
    assert parsed == table.to_pylist()
    assert pa.Table.from_pylist(parsed, schema=table.schema).equals(table)
    pattern = re.compile(language.regex(order))
    assert all(pattern.fullmatch(text) for text in texts)


@given(tables())
@settings(max_examples=50)
def test_a_table_comes_back_from_its_tokens(drawn: tuple[TableSchema, pa.Table]) -> None:
    schema, table = drawn
    language = RowLanguage(schema)
    tokens = language.encode(table)
    assert tokens.shape == (table.num_rows, len(language.place_sizes))
    assert np.all(tokens < language.place_sizes)
    back = language.decode(tokens)
    for code in language.codes:
        name = code.column.name
        assert back[name].type == table[name].type
        if code.place_sizes:
            assert back[name].equals(table[name])
        else:
            assert back[name].null_count == table.num_rows


@given(tables(), st.integers(0, 2**32))
@settings(max_examples=40)
def test_every_walk_through_a_cell_automaton_is_a_cell_within_bounds(
    drawn: tuple[TableSchema, pa.Table], seed: int
) -> None:
    chance = np.random.default_rng(seed)
    for code in RowLanguage(drawn[0]).codes:
        if code.place_sizes:
            walks = np.array([random_walk(code, chance) for _ in range(12)], dtype=np.int32)
            check_walks(code, walks)


def random_walk(code: ColumnCode, chance: np.random.Generator) -> list[int]:
    tokens, state = [SKIPPED] * len(code.place_sizes), 0
    while state != END:
        place = int(code.automaton.place[state])
        allowed = np.flatnonzero(code.automaton.allowed[state])
        # The ends of the bounds are where mistakes would show.
        token = int(chance.choice([allowed[0], allowed[-1], chance.choice(allowed)]))
        tokens[place] = token
        state = int(code.automaton.following[state, token])
    return tokens


def check_walks(code: ColumnCode, walks: np.ndarray) -> None:
    cells = code.decode(walks)
    assert cells.type == arrow_type(code.column.storage)
    canonical = code.encode(cells)
    assert code.decode(canonical).equals(cells)
    regex = re.compile(code.regex())
    for walk, own, cell in zip(walks, canonical, cells.to_pylist(), strict=True):
        assert np.array_equal(walk, own) or np.count_nonzero(own != SKIPPED) == 1
        text = code.text(cell)
        pieces = [code.token_text(p, t) for p, t in enumerate(walk.tolist()) if t != SKIPPED]
        assert "".join(pieces) == text
        assert regex.fullmatch(text)
        quoted = text.startswith('"')
        assert quoted or code.cell(text, quoted=False) == cell
