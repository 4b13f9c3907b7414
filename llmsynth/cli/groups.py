"""`fit --group-by` and `sample --groups`: tables in which several rows belong to one entity."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from llmsynth.cli.failures import PARTIAL, TOO_LITTLE
from llmsynth.cli.fit_work import fit_work
from llmsynth.cli.guard_words import guard_line
from llmsynth.cli.progress_bar import ProgressBar
from llmsynth.errors import SettingsError, TooLittleLearnedWarning
from llmsynth.relational.joining_file import GROUPS
from llmsynth.tables import write_table

if TYPE_CHECKING:
    import pyarrow as pa

    from llmsynth.relational.group_sample import GroupReport
    from llmsynth.relational.grouped import GroupedSynthesizer
    from llmsynth.schema import TableSchema


@dataclass(frozen=True, kw_only=True)
class GroupOptions:
    """What `fit --group-by` was given."""

    group_by: str
    order_by: str | None
    static: Sequence[str] | None
    model: str
    copy_guard: int | None
    rank: int
    schema: TableSchema | None
    missing: Sequence[str]
    keep_rare: bool
    drop_text: bool
    max_minutes: float | None
    max_epochs: float | None
    seed: int


def is_of_groups(folder: Path) -> bool:
    """Whether a folder holds a synthesizer of groups."""
    return (folder / GROUPS.name).is_file()


def refuse_for_groups(given: Mapping[str, bool]) -> None:
    """Refuse options that groups cannot have.

    Args:
        given: name of each such option, and whether it was given.

    Raises:
        SettingsError: names the first one given.
    """
    for name, is_given in given.items():
        if is_given:
            raise SettingsError(
                f"{name} is not for tables of groups (--group-by).", hint="Leave one of them out."
            )


def fit_groups(table: pa.Table, folder: Path, options: GroupOptions) -> None:
    """Learn groups with a progress bar and a checkpoint, and save what was learned."""
    # Reaches torch, which takes seconds to load.
    from llmsynth.relational.grouped import GroupedSynthesizer
    from llmsynth.synthesizers.text_settings import TextSettings
    from llmsynth.training.tuning_settings import TuningSettings

    synthesizer = GroupedSynthesizer(
        group_by=options.group_by,
        order_by=options.order_by,
        static=options.static,
        model=options.model,
        text=TextSettings(copy_guard=options.copy_guard, tuning=TuningSettings(rank=options.rank)),
        schema=options.schema,
        missing=options.missing,
        keep_rare=options.keep_rare,
        drop_text=options.drop_text,
        max_minutes=options.max_minutes,
        max_epochs=options.max_epochs,
        seed=options.seed,
    )
    with fit_work(folder) as work:
        with ProgressBar("fit") as bar, warnings.catch_warnings():
            # It is told in the first line, and by the exit status.
            warnings.simplefilter("ignore", TooLittleLearnedWarning)
            synthesizer.fit(table, checkpoint_dir=work, progress=bar)
        synthesizer.save(folder)
    if synthesizer.too_little_:
        typer.echo(too_little_line(synthesizer.too_little_))
    typer.echo(_learned(synthesizer))
    typer.echo(f"Next: llmsynth sample {folder} --groups 500 --out synthetic.csv")
    if synthesizer.too_little_:
        raise typer.Exit(TOO_LITTLE)


def too_little_line(parts: Sequence[str]) -> str:
    """That the time limit came before some parts had learned much."""
    return (
        f"TOO LITTLE LEARNED of {', '.join(parts)}: the time limit came too early. New rows of "
        "these keep little more than each column by itself: give more --max-minutes."
    )


def sample_groups(
    folder: Path,
    out: Path,
    *,
    groups: int | None,
    where: Mapping[str, object],
    given: Path | None,
    seed: int,
    temperature: float,
    top_p: float,
    max_length: int | None,
    max_seconds: float | None,
) -> None:
    """Write new groups to a file; exit status 3 where rows are missing."""
    from llmsynth.relational.grouped import GroupedSynthesizer

    synthesizer = GroupedSynthesizer.load(folder)
    with ProgressBar("sample") as bar:
        sample = synthesizer.sample(
            groups,
            where=where,
            given=given,
            seed=seed,
            temperature=temperature,
            top_p=top_p,
            max_length=max_length,
            max_seconds=max_seconds,
            progress=bar,
        )
    write_table(sample.table, out, schema=sample.schema)
    typer.echo(written_line(sample.report, out))
    if sample.report.is_partial:
        typer.echo(f"partial: {shortfall(sample.report)}", err=True)
        raise typer.Exit(PARTIAL)


def written_line(report: GroupReport, out: Path) -> str:
    """How many groups and rows went where, how fast, and how many were cut."""
    cut = f"; {report.cut:,} groups stop at the maximum length" if report.cut else ""
    return (
        f"Wrote {report.rows:,} rows of {report.groups:,} groups to {out} in "
        f"{report.seconds:.1f} seconds{cut}." + guard_line(report.memorization_guard)
    )


def shortfall(report: GroupReport) -> str:
    """Why groups or rows are missing, with counts."""
    reasons = [f"{count:,} groups unfinished ({why})" for why, count in report.unfinished.items()]
    absent = report.asked - report.groups
    if absent > 0:
        reasons.append(f"{absent:,} groups not begun")
    return ", ".join(reasons)


def _learned(synthesizer: GroupedSynthesizer) -> str:
    layout = synthesizer.layout_
    static = ", ".join(layout.static) or "none"
    names = [column.name for column in synthesizer.rows_.columns]
    changing = ", ".join(name for name in names if name in layout.names) or "none"
    texts = [] if synthesizer.texts_ is None else synthesizer.texts_.columns
    told = f" Texts: {', '.join(column.name for column in texts)}." if texts else ""
    return (
        f"Learned groups by {layout.group_by}, ordered by {layout.order_by or 'place'}, in "
        f"{synthesizer.fit_seconds_:.0f} seconds. Static: {static}. Changing: {changing}.{told}"
    )
