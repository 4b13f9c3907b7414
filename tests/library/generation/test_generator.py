"""A sampling run: rows in their order, within bounds, and an account that adds up.

The model is untrained, so that every allowed token is drawn about equally often.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pytest
import torch

from llmsynth.codec.row_language import RowLanguage
from llmsynth.engines.compact_sampler import CompactSampler
from llmsynth.errors import SamplingError, SettingsError
from llmsynth.generation.conditions import Conditions
from llmsynth.generation.generator import Generator, SamplingSettings
from llmsynth.generation.sample import Sample, SampleReport
from llmsynth.models.compact import CompactModel, CompactShape
from llmsynth.progress import Step
from llmsynth.schema import (
    CategoryColumn,
    Column,
    Constraint,
    DateColumn,
    FixedCombinations,
    IdentifierColumn,
    Inequality,
    MissingExactlyWhen,
    NumberColumn,
    Sum,
    TableSchema,
)
from llmsynth.tables.broken_rows import violations

BLOCK = 64
COLUMNS = (
    IdentifierColumn(name="id", pattern=r"[A-Z]\d{2,3}"),
    CategoryColumn(name="town", categories=("Bonn", "Ulm")),
    CategoryColumn(name="state", categories=("BW", "NW", "SN"), nullable=True),
    NumberColumn(name="low", minimum="0", maximum="9999", frequent=("0",)),
    NumberColumn(name="high", minimum="0", maximum="9999", nullable=True),
    DateColumn(name="day", minimum="2019-12-30", maximum="2020-03-01"),
)
RULES = (
    Inequality(low="low", high="high"),
    MissingExactlyWhen(column="high", when="state", equals="SN"),
    FixedCombinations(
        columns=("town", "state"),
        combinations=(("Bonn", "NW"), ("Bonn", None), ("Ulm", "BW"), ("Ulm", "SN")),
    ),
)


def sampler(columns: Sequence[Column], rules: Sequence[Constraint] = ()) -> CompactSampler:
    schema = TableSchema(columns=tuple(columns), constraints=tuple(rules))
    language = RowLanguage(schema)
    torch.manual_seed(0)
    sizes = tuple(int(size) for size in language.place_sizes)
    shape = CompactShape(
        hidden_size=16, num_layers=1, num_heads=1, intermediate_size=16, place_sizes=sizes
    )
    out = CompactSampler(CompactModel(shape), language, dtype=torch.float32)
    out.block_rows = BLOCK
    return out


def generator(
    columns: Sequence[Column] = COLUMNS,
    rules: Sequence[Constraint] = (),
    *,
    given: pa.Table | None = None,
    where: dict[str, object] | None = None,
    steps: list[Step] | None = None,
    **settings: float,
) -> Generator:
    drawer = sampler(columns, rules)
    language = drawer.language
    return Generator(
        drawer,
        [c for c in range(len(columns)) if language.places(c)],
        SamplingSettings(**settings),  # type: ignore[arg-type]
        Conditions(language, given=given, where=where),
        steps.append if steps is not None else lambda step: None,
    )


def rows(run: Generator, count: int) -> pa.Table:
    return pa.concat_tables(list(run.chunks(count)))


def test_rows_are_cells_of_the_schema_with_names_of_their_own() -> None:
    steps: list[Step] = []
    run = generator(steps=steps)
    table = rows(run, 150)
    assert (table.num_rows, run.report.rows, run.report.stopped) == (150, 150, "complete")
    run._language.encode(table)
    assert len(set(table["id"].to_pylist())) == 150
    assert [step.done for step in steps] == [64, 128, 150]
    assert not run.report.is_partial


def test_the_rows_depend_on_the_seed_and_not_on_the_batches() -> None:
    whole = rows(generator(COLUMNS, RULES[:1], seed=5), 200)
    chunks = list(generator(COLUMNS, RULES[:1], seed=5, batch_rows=1).chunks(200))
    assert [chunk.num_rows for chunk in chunks] == [64, 64, 64, 8]
    assert pa.concat_tables(chunks).equals(whole)
    assert rows(generator(COLUMNS, RULES[:1], seed=5), 100).equals(whole.slice(0, 100))
    assert not rows(generator(COLUMNS, RULES[:1], seed=6), 200).equals(whole)


def test_a_table_drawn_part_by_part_is_the_table_drawn_at_once() -> None:
    whole = rows(generator(COLUMNS, RULES[:1], seed=5), 200)
    part = rows(generator(COLUMNS, RULES[:1], seed=5, first_row=128), 72)
    assert part.equals(whole.slice(128))


def test_every_declared_constraint_holds_in_every_row() -> None:
    run = generator(COLUMNS, RULES, max_attempts=40)
    table = rows(run, 200)
    assert table.num_rows == 200
    for rule in RULES:
        assert not violations(table, rule).any()
    # The automaton carries all but the inequality, which breaks half of its rows at every draw.
    assert 50 < run.report.redrawn < 300
    assert len(set(table["id"].to_pylist())) == 200


def test_an_impossible_rule_ends_after_its_attempts_and_is_reported() -> None:
    columns = (
        NumberColumn(name="a", minimum="10", maximum="20"),
        NumberColumn(name="b", minimum="0", maximum="9"),
    )
    run = generator(columns, [Inequality(low="a", high="b")], max_attempts=3)
    table = rows(run, 100)
    assert (table.num_rows, table.column_names) == (0, ["a", "b"])
    assert run.report.dropped == {"declared constraints not met": 100}
    assert (run.report.redrawn, run.report.rows, run.report.asked) == (200, 0, 100)
    assert run.report.is_partial


def test_rows_given_up_are_counted_and_the_others_kept_in_order() -> None:
    columns = (
        NumberColumn(name="a", minimum="0", maximum="99"),
        NumberColumn(name="b", minimum="0", maximum="99"),
    )
    given = pa.table({"a": [i % 100 for i in range(300)]})
    run = generator(columns, [Inequality(low="a", high="b")], given=given, max_attempts=1)
    table = rows(run, 300)
    lost = run.report.dropped["declared constraints not met"]
    assert table.num_rows == 300 - lost
    assert 100 < lost < 200
    kept = iter(given["a"].to_pylist())
    assert all(value in kept for value in table["a"].to_pylist())


def test_given_cells_stay_in_their_rows_when_others_are_drawn_again() -> None:
    columns = (
        NumberColumn(name="a", minimum="0", maximum="60", nullable=True),
        NumberColumn(name="b", minimum="0", maximum="99"),
        CategoryColumn(name="c", categories=("x", "y")),
    )
    given = pa.table(
        {
            "c": ["x" if i % 3 else "y" for i in range(150)],
            "a": pa.array([None if i % 7 == 0 else i % 61 for i in range(150)]),
        }
    )
    run = generator(columns, [Inequality(low="a", high="b")], given=given, max_attempts=60)
    table = rows(run, 150)
    assert table.select(["c", "a"]).equals(given)
    assert run.report.redrawn > 20
    assert not violations(table, Inequality(low="a", high="b")).any()


def test_one_value_may_be_fixed_for_all_rows() -> None:
    table = rows(generator(where={"town": "Ulm", "high": None, "low": "0"}), 100)
    assert table["town"].unique().to_pylist() == ["Ulm"]
    assert table["low"].unique().to_pylist() == [0]
    assert table["high"].null_count == 100
    assert len(table["day"].unique()) > 20


def test_totals_are_the_sums_of_their_parts() -> None:
    columns = (
        NumberColumn(name="t", storage="double", scale=2, minimum="0", maximum="30"),
        NumberColumn(name="a", storage="double", scale=1, minimum="0", maximum="20"),
        NumberColumn(name="b", storage="double", scale=2, minimum="0", maximum="20", nullable=True),
    )
    rule = Sum(parts=("a", "b"), total="t")
    run = generator(columns, [rule])
    table = rows(run, 200)
    assert table.num_rows == 200
    assert not violations(table, rule).any()
    run._language.encode(table)
    assert run.report.redrawn > 0
    for row in table.to_pylist():
        assert row["b"] is None or row["t"] == round(row["a"] + row["b"], 2)


def test_time_that_is_up_gives_back_what_there_is() -> None:
    run = generator(max_seconds=1e-9)
    table = rows(run, 500)
    assert table.schema.equals(rows(generator(), 5).schema)
    assert (table.num_rows, run.report.stopped, run.report.is_partial) == (0, "time", True)


def test_names_that_run_out_are_refused_before_anything_is_drawn() -> None:
    columns = (IdentifierColumn(name="id", pattern=r"\d{2}"), *COLUMNS[1:])
    steps: list[Step] = []
    with pytest.raises(SamplingError, match="has 100 texts, fewer than the 101"):
        rows(generator(columns, steps=steps), 101)
    assert steps == []
    assert rows(generator(columns), 100).num_rows == 100


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0.0},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"max_attempts": 0},
        {"batch_rows": 0},
        {"max_seconds": 0.0},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        SamplingSettings(**wrong)  # type: ignore[arg-type]


def test_a_sample_knows_its_length_and_becomes_a_frame() -> None:
    table = rows(generator(), 20)
    sample = Sample(table, TableSchema(columns=COLUMNS), SampleReport(asked=25, rows=20))
    assert len(sample) == 20
    assert sample.report.is_partial
    frame = sample.to_pandas()
    assert list(frame.columns) == list(table.column_names)
    assert len(frame) == 20
