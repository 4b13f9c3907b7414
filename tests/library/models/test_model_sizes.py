"""Sizes chosen from a table: valid everywhere, growing with rows, bounded for wide tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.models.sizes import choose_size


@given(st.integers(1, 10_000_000), st.floats(1, 2000))
def test_every_table_gets_a_size_that_can_be_built(rows: int, positions: float) -> None:
    size = choose_size(rows, (3, 4), positions)
    assert size.shape.hidden_size % size.shape.num_heads == 0
    assert size.batch_rows >= 1
    assert 1 <= size.epochs <= 1000


@pytest.mark.parametrize(("few", "many"), [(300, 3000), (3000, 30_000), (30_000, 300_000)])
def test_more_rows_never_get_a_narrower_model(few: int, many: int) -> None:
    small, large = choose_size(few, (3, 4), 10), choose_size(many, (3, 4), 10)
    assert small.shape.hidden_size <= large.shape.hidden_size


def test_passes_do_not_grow_with_a_large_table() -> None:
    passes = {choose_size(rows, (3, 4), 10).epochs for rows in (8000, 80_000, 8_000_000)}
    assert len(passes) == 1


def test_wide_tables_take_fewer_rows_a_step() -> None:
    assert choose_size(20_000, (3,), 500).batch_rows < choose_size(20_000, (3,), 10).batch_rows
