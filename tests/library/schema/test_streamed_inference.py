"""One pass over batches, or shards apart and merged, gives the schema of the whole table."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsynth import demo_tables, infer_schema
from llmsynth.errors import TableError
from llmsynth.schema.streamed_inference import TableEvidence

ROWS = 1200


def _table() -> pa.Table:
    """A column of each kind; most have far more distinct values than the tests keep."""
    draw = np.random.default_rng(3)
    whole = draw.integers(-500, 9000, ROWS)
    start = dt.datetime(2020, 1, 1)
    moments = [start + dt.timedelta(seconds=int(s)) for s in draw.integers(0, 10**7, ROWS)]
    cents = np.round(draw.random(ROWS) * 900, 2)
    missing = draw.random(ROWS) < 0.1
    words = np.array(
        [
            "the",
            "a",
            "patient",
            "was",
            "seen",
            "today",
            "with",
            "mild",
            "pain",
            "and",
            "went",
            "home",
        ]
    )
    return pa.table(
        {
            "row": np.arange(1, ROWS + 1),
            "user_id": draw.permutation(10**6)[:ROWS],
            "whole": pa.array(whole, mask=missing),
            "code": draw.integers(0, 4, ROWS),
            "unsigned": pa.array(draw.integers(0, 2**63, ROWS), pa.uint64()),
            "cents": cents,
            "tiny": 10.0 ** -draw.integers(0, 9, ROWS),
            "single": pa.array(cents, pa.float32()),
            "exact": pa.array([Decimal(f"{c:.2f}") for c in cents], pa.decimal128(9, 2)),
            "flag": draw.random(ROWS) < 0.3,
            "day": pa.array([m.date() for m in moments]),
            "moment": pa.array(moments, pa.timestamp("us")),
            "city": draw.choice(["Oslo", "Lima", "Rome"], ROWS),
            "name": [f"K{n:07}" for n in draw.permutation(10**6)[:ROWS]],
            "note": [" ".join(draw.choice(words, 9)) for _ in range(ROWS)],
            "whole_text": pa.array(whole).cast(pa.string()),
            "cents_text": [f"{c:.2f}" for c in cents],
            "ragged_text": [str(c) for c in cents],
            "power_text": [f"{c:.3e}" for c in cents],
            "day_text": [m.strftime("%d.%m.%Y") for m in moments],
            "moment_text": [m.strftime("%Y-%m-%d %H:%M:%S") for m in moments],
            "yes": draw.choice(["true", "false"], ROWS),
            "nothing": pa.nulls(ROWS, pa.string()),
        }
    )


TABLE = _table()


def _gathered(table: pa.Table, cuts: list[int], *, kept: int) -> TableEvidence:
    found = TableEvidence(kept=kept)
    for begin, end in zip([0, *cuts], [*cuts, table.num_rows], strict=True):
        found.add(table.slice(begin, end - begin))
    return found


@pytest.mark.parametrize("name", TABLE.column_names)
def test_what_is_not_kept_changes_no_answer(name: str) -> None:
    part = TABLE.select([name])
    one_pass = _gathered(part, [300, 700, 701], kept=150)
    assert one_pass.schema() == infer_schema(part)
    front = _gathered(part.slice(0, 500), [100], kept=150)
    front.merge(_gathered(part.slice(500), [333], kept=150))
    assert front.schema() == infer_schema(part)


@given(st.lists(st.integers(0, ROWS), max_size=4).map(sorted), st.sampled_from([60, 10**6]))
@settings(max_examples=8, deadline=None)
def test_cuts_do_not_matter(cuts: list[int], kept: int) -> None:
    whole = infer_schema(TABLE, target="code")
    assert _gathered(TABLE, cuts, kept=kept).schema(target="code") == whole


def test_a_late_exception_is_seen_beyond_what_is_kept() -> None:
    numbers = [str(n) for n in range(1000)]
    days = [f"{1 + n % 28:02}.{1 + n // 28 % 12:02}.{1900 + n // 336}" for n in range(1000)]
    for texts, odd in (
        (numbers, "1.25"),
        (numbers, "none"),
        (numbers, "007"),
        (days, "1900-01-01"),
        ([f"{n}.5" for n in range(1000)], "1e3"),
        ([f"{n}.5" for n in range(1000)], "7.125"),
    ):
        table = pa.table({"x": [*texts[:900], odd, *texts[900:]]})
        found = _gathered(table, [100, 400, 850], kept=50).schema().columns[0]
        exact = infer_schema(table).columns[0]
        if exact.kind == "category":
            # More distinct texts than are kept make no categories.
            assert found.kind == "text"
        else:
            assert found == exact


def test_demo_tables_keep_their_schema() -> None:
    table = demo_tables.load("adult").slice(0, 6000)
    assert _gathered(table, [1000, 5000], kept=20_000).schema(target="income") == infer_schema(
        table, target="income"
    )


def test_parts_of_different_columns_are_refused() -> None:
    found = TableEvidence()
    found.add(pa.table({"x": [1, 2]}))
    with pytest.raises(TableError, match="'x' is int64 in one part of the table and double"):
        found.add(pa.table({"x": [1.5]}))
    with pytest.raises(TableError, match="'y' is None in one part"):
        found.merge(_gathered(pa.table({"x": [1], "y": [1]}), [], kept=5))
    with pytest.raises(TableError, match="has none"):
        TableEvidence().schema()
    with pytest.raises(TableError, match="no column of the table"):
        found.schema(target="z")
