"""The runner: three tables in, one judgement out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from llmsynth.errors import SettingsError
from llmsynth.schema.table_schema import TableSchema
from llmsynth_eval.coded_table import CodedTable, encode
from llmsynth_eval.fidelity.c2st import C2st
from llmsynth_eval.fidelity.shape import Shape
from llmsynth_eval.fidelity.trend import Trend
from llmsynth_eval.input_tables import (
    ColumnPlan,
    Table,
    as_frame,
    check_same_columns,
    check_target,
    plan_columns,
    with_numbers,
)
from llmsynth_eval.judgement import Judgement
from llmsynth_eval.metric import Comparison, Measurement, Metric
from llmsynth_eval.privacy.copies import Copies
from llmsynth_eval.privacy.dcr_share import DcrShare
from llmsynth_eval.utility.tstr import Tstr

ALL_ROWS: tuple[Metric, ...] = (Shape(), Trend())
CAPPED: tuple[Metric, ...] = (C2st(), Tstr(), DcrShare())
LAST: tuple[Metric, ...] = (Copies(),)
MANY_DISTINCT = 0.9
MIN_IDENTIFIER_ROWS = 100
NOTED_DIFFERENCE = 0.01


def judge(
    train: Table,
    synthetic: Table,
    holdout: Table,
    *,
    target: str | None = None,
    numeric: Sequence[str] | None = None,
    schema: TableSchema | None = None,
    seed: int = 0,
    floor: bool = True,
    max_rows: int | None = None,
) -> Judgement:
    """Measure a synthetic table against the train table, beside the holdout in its place.

    Args:
        train: rows that the synthesizer learned from.
        synthetic: its rows.
        holdout: rows of the same source that it never saw; the floor and the DCR need them.
        target: column for TSTR and TRTR; without it they are left out.
        numeric: numeric columns; default from the schema's kinds, else from train's dtypes.
        schema: its identifier and text columns are left out of every figure.
        seed: of every resample, subsample, fold and learner.
        floor: whether to measure the holdout in the synthetic table's place.
        max_rows: most rows of each table for C2ST, TSTR, TRTR and the DCR share; shape, trend
            and copies always take all. A sample of train hides part of the copied rows from the
            DCR share.

    Raises:
        TableError: tables that are empty, differ in their columns, or hold a cell of the wrong
            type in a numeric column.
        SchemaError: a column that the schema does not describe.
        SettingsError: a target, numeric column or `max_rows` that cannot be used.
    """
    if max_rows is not None and max_rows < 1:
        raise SettingsError(f"max_rows must be 1 or more, got {max_rows}.")
    given = {"train": train, "synthetic": synthetic, "holdout": holdout}
    frames = {
        role: with_numbers(as_frame(table, role=role), schema) for role, table in given.items()
    }
    check_same_columns(frames)
    plan = plan_columns(frames["train"], numeric=numeric, schema=schema)
    check_target(target, plan)
    tables = encode(frames, plan)
    comparison = Comparison(**tables, target=target, seed=seed, with_floor=floor)
    capped = comparison if max_rows is None else comparison.capped(max_rows)
    found = [metric.compute(comparison) for metric in ALL_ROWS]
    found += [metric.compute(capped) for metric in CAPPED]
    found += [metric.compute(comparison) for metric in LAST]
    notes = (*_plan_notes(plan, frames["train"]), *_row_notes(tables, max_rows, with_floor=floor))
    return _judgement(found, plan, notes, num_rows={r: t.num_rows for r, t in tables.items()})


def _judgement(
    found: Sequence[Measurement],
    plan: ColumnPlan,
    notes: tuple[str, ...],
    *,
    num_rows: Mapping[str, int],
) -> Judgement:
    counts = {f"{role} rows": rows for role, rows in num_rows.items()}
    for measurement in found:
        counts.update(measurement.counts)
    repeated = tuple(
        f"{counts[f'repeated rows within {role}']:,} of {rows:,} {role} rows repeat an earlier row."
        for role, rows in num_rows.items()
        if counts.get(f"repeated rows within {role}")
    )
    return Judgement(
        figures=tuple(figure for m in found for figure in m.figures),
        columns=tuple(column for m in found for column in m.columns),
        pairs=tuple(pair for m in found for pair in m.pairs),
        counts=counts,
        left_out=plan.left_out,
        notes=(*notes, *repeated, *(note for m in found for note in m.notes)),
    )


def _plan_notes(plan: ColumnPlan, train: pd.DataFrame) -> list[str]:
    notes = []
    if plan.left_out:
        notes.append(f"Left out of every figure: {', '.join(plan.left_out)}.")
    for name in plan.names:
        cells = train[name].dropna()
        if not len(cells):
            notes.append(f"Column {name} has no value in train.")
        elif name not in plan.numeric and len(cells) >= MIN_IDENTIFIER_ROWS:
            share = cells.astype(str).nunique() / len(cells)
            if share > MANY_DISTINCT:
                notes.append(
                    f"Column {name} looks like an identifier or free text ({100 * share:.0f}% of "
                    "its cells differ) and raises every error; name its kind in a schema."
                )
    return notes


def _row_notes(
    tables: Mapping[str, CodedTable], max_rows: int | None, *, with_floor: bool
) -> list[str]:
    rows = {role: table.num_rows for role, table in tables.items()}
    notes = []
    if max_rows is not None and max(rows.values()) > max_rows:
        notes.append(
            f"C2ST, TSTR, TRTR and the DCR share use at most {max_rows:,} rows of each table, "
            "drawn by the seed."
        )
    cut = {role: min(count, max_rows or count) for role, count in rows.items()}
    if _differ(cut["train"], cut["synthetic"]):
        fewer = min(cut["train"], cut["synthetic"])
        notes.append(f"C2ST uses {fewer:,} rows of train and of synthetic, drawn by the seed.")
    if _differ(cut["train"], cut["holdout"]):
        fewer = min(cut["train"], cut["holdout"])
        notes.append(f"DCR references and the C2ST floor use {fewer:,} rows, drawn by the seed.")
    if with_floor and _differ(rows["holdout"], rows["synthetic"]):
        notes.append(
            f"The floor is measured with {rows['holdout']:,} rows, the synthetic table has "
            f"{rows['synthetic']:,}: errors of fewer rows are higher by chance."
        )
    return notes


def _differ(first: int, second: int) -> bool:
    return abs(first - second) > NOTED_DIFFERENCE * max(first, second)
