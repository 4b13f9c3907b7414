"""Rebalancing: more rows of rare groups, and an honest word on whether they help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.errors import LlmsynthError, MissingExtraError, SettingsError
from llmsynth.judging import require_judges
from llmsynth.progress import Progress, silent
from llmsynth.schema.inference import infer_schema
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth.tables.conforming import conform
from llmsynth.tables.reading import read_table
from llmsynth.uses.additions import Addition, additions
from llmsynth.uses.asked_groups import AskedShares, column_told, groups_of
from llmsynth.uses.drawing import METHODS, check_method, drawn_rows
from llmsynth.uses.emphasis import emphasised
from llmsynth.uses.fitting import is_fitted
from llmsynth.uses.group_rows import GroupRows
from llmsynth.uses.groups import Group
from llmsynth.uses.origin import check_origin, mixed
from llmsynth.uses.rebalanced import GroupAccount, Rebalanced
from llmsynth.uses.verdict import JudgeSettings, Verdict, judged

if TYPE_CHECKING:
    from llmsynth.tables.reading import TableSource

NOT_MEASURED = "not measured"


@dataclass(frozen=True, kw_only=True)
class RebalanceSettings:
    """How to rebalance."""

    method: str = "whole"
    """`whole`: all other cells are drawn given those of the group, by a model that learned more of
    the group in a few steps on its rows alone; eight times as many as wanted, of which some are
    chosen by their probability of the group by classifiers of the real rows. Under differential
    privacy there are no such steps and no choice. `redraw`: a real row of the group with about half
    of its cells drawn anew, in steps that the classifiers accept (`llmsynth.uses.redrawing`). Such
    rows keep cells of real people: never hand them on as anonymous. Refused under differential
    privacy, with free text, and where a language model writes all columns."""
    test_share: float = 0.25
    """Share of the rows that is held out of everything but the verdict; 0 for no verdict."""
    relabel: bool = False
    """Keep a row only where a classifier of the real rows calls it one of its group."""
    origin: str | None = None
    """A column to say of each row whether it is `real` or `synthetic`; None for none."""
    judging: JudgeSettings = field(default_factory=JudgeSettings)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise SettingsError(f"method is {', '.join(METHODS)}, got {self.method!r}.")
        if not 0 <= self.test_share < 1:
            raise SettingsError(f"test_share lies from 0 to below 1, got {self.test_share}.")


def rebalance(
    table: TableSource,
    target: AskedShares,
    *,
    test: TableSource | None = None,
    synthesizer: Synthesizer | None = None,
    settings: RebalanceSettings = RebalanceSettings(),
    missing: Sequence[str] = (),
    pages: str | Path | None = None,
    progress: Progress = silent,
) -> Rebalanced:
    """Add synthetic rows until groups have the shares asked for, and say whether that helps.

    The table is split before anything is fitted: the synthesizer learns train rows alone, the rest
    keeps the shares of life and gives the verdict. "No gain" is a normal answer, and the common
    one: learners that weigh classes are hard to beat. No real row is taken away or changed.

    Args:
        target: the groups and their shares; see `llmsynth.uses.asked_groups.groups_of`.
            `{"fraud": 0.2}` for the rarer of two values, `{"fraud": {"yes": 0.2}}`,
            `{("fraud", "amount"): {("yes", (1000, None)): 0.1}}`, or a list of groups.
        test: real rows for the verdict; then all of `table` is learned.
        synthesizer: one that has learned nothing yet, with the settings of the fit.
        missing: cell texts that mean "missing" in a CSV file, besides the empty cell.
        pages: folder for a page and a JSON file on each group.

    Raises:
        SettingsError: shares that cannot be, a synthesizer that is fitted already, `redraw` where
            it cannot be done.
        ConditionError: a column or cell that the schema cannot hold.
        TableError, SchemaError: the table cannot be learned as it stands.
        MissingExtraError: the judges are not installed; `test_share=0` does without.
    """
    has_test = test is not None or settings.test_share > 0
    if has_test:
        require_judges()
    source = read_table(table, missing=missing)
    check_origin(settings.origin, source.column_names)
    synthesizer = _unfitted(synthesizer, target, settings)
    check_method(synthesizer, settings.method)  # refuses before the fit what cannot be done
    schema = synthesizer.schema or infer_schema(source, target=synthesizer.target)
    typed = conform(source, schema)
    groups = groups_of(target, typed, schema)
    if test is not None:
        train, held = typed, conform(read_table(test, missing=missing), schema)
    else:
        train, held = _split(typed, schema, groups, settings)
    plan = additions(groups, train, schema)
    _fit(synthesizer, train, schema, plan, progress)
    columns = list(synthesizer.schema_.names)  # less free text, where it was to be dropped
    drawn = drawn_rows(
        synthesizer,
        plan,
        train.select(columns),
        method=settings.method,
        relabel=settings.relabel,
        seed=settings.seed,
        progress=progress,
    )
    kept, schema = train.select(columns), schema.without(set(schema.names) - set(columns))
    made = pa.concat_tables([kept.slice(0, 0), *(_as(rows.table, kept) for rows in drawn)])
    return Rebalanced(
        table=mixed(kept, made, settings.origin),
        train=kept,
        synthetic=made,
        begun_from=np.concatenate([_begun_from(rows) for rows in drawn]),
        test=held.select(columns) if has_test else None,
        schema=schema,
        groups=_accounts(plan, drawn, train.num_rows),
        verdicts=tuple(
            _verdict(
                step.group,
                kept,
                held.select(columns) if has_test else None,
                made,
                schema,
                settings,
                _page(pages, number),
            )
            for number, step in enumerate(plan)
            if step.rows
        ),
        synthesizer=synthesizer,
    )


def _unfitted(
    synthesizer: Synthesizer | None,
    target: AskedShares,
    settings: RebalanceSettings,
) -> Synthesizer:
    if synthesizer is None:
        return Synthesizer(target=column_told(target), seed=settings.seed)
    if is_fitted(synthesizer):
        raise SettingsError(
            "The synthesizer has learned a table already, perhaps with the rows of the test.",
            hint="Give one that was not fitted yet.",
        )
    return synthesizer


def _split(
    table: pa.Table, schema: TableSchema, groups: Sequence[Group], settings: RebalanceSettings
) -> tuple[pa.Table, pa.Table]:
    """Train and test rows, each with the same shares of the groups, in the table's order."""
    label = np.zeros(table.num_rows, dtype=np.int64)
    for number, group in enumerate(groups):
        label[np.asarray(group.holds(table, schema))] = number + 1
    rng = np.random.default_rng(settings.seed)
    is_test = np.zeros(table.num_rows, dtype=np.bool_)
    for value in np.unique(label):
        rows = rng.permutation(np.flatnonzero(label == value))
        is_test[rows[: round(settings.test_share * len(rows))]] = True
    return table.filter(pa.array(~is_test)), table.filter(pa.array(is_test))


def _fit(
    synthesizer: Synthesizer,
    train: pa.Table,
    schema: TableSchema,
    plan: Sequence[Addition],
    progress: Progress,
) -> None:
    if synthesizer.privacy is not None:
        # Under differential privacy a row that comes again would count again.
        synthesizer.fit(train, progress=progress)
        return
    rows = emphasised(train, schema, plan)
    # Whose row it is: a value counts as rare by different rows, however often they come.
    synthesizer.fit(train.take(pa.array(rows)), progress=progress, entities=rows)


def _accounts(
    plan: Sequence[Addition], drawn: Sequence[GroupRows], num_train: int
) -> tuple[GroupAccount, ...]:
    total = num_train + sum(rows.table.num_rows for rows in drawn)
    return tuple(
        GroupAccount(
            group=step.group,
            real=step.before,
            added=rows.table.num_rows,
            short=step.rows - rows.table.num_rows,
            relabelled=rows.relabelled,
            redrawn=len(rows.begun_from),
            kept_cells=float(rows.kept.mean()) if len(rows.kept) else None,
            copies=rows.copies,
            prior=step.before / num_train,
            share=(step.before + rows.table.num_rows) / total,
        )
        for step, rows in zip(plan, drawn, strict=True)
    )


def _verdict(
    group: Group,
    train: pa.Table,
    test: pa.Table | None,
    synthetic: pa.Table,
    schema: TableSchema,
    settings: RebalanceSettings,
    page: Path | None,
) -> Verdict:
    if test is None:
        words = "Not measured: no rows were held out."
        return Verdict(group=group.label, verdict=NOT_MEASURED, words=words, details={})
    judging = replace(settings.judging, seed=settings.seed)
    try:
        return judged(
            group,
            train=train,
            test=test,
            synthetic=synthetic,
            schema=schema,
            settings=judging,
            page=page,
        )
    except MissingExtraError:
        raise
    except LlmsynthError as error:
        words = f"Not measured. {error}"
        return Verdict(group=group.label, verdict=NOT_MEASURED, words=words, details={})


def _begun_from(rows: GroupRows) -> npt.NDArray[np.int64]:
    whole = np.full(rows.table.num_rows - len(rows.begun_from), -1)
    return np.concatenate([rows.begun_from, whole])


def _as(rows: pa.Table, kept: pa.Table) -> pa.Table:
    return rows.select(kept.column_names).cast(kept.schema)


def _page(folder: str | Path | None, number: int) -> Path | None:
    if folder is None:
        return None
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder) / ("verdict.html" if number == 0 else f"verdict-{number + 1}.html")
