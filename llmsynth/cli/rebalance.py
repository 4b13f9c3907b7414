"""`llmsynth rebalance`: more rows of a rare group, and whether they help."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmsynth.cli.failures import PARTIAL
from llmsynth.cli.progress_bar import ProgressBar
from llmsynth.cli.row_stream import check_file
from llmsynth.cli.shared_options import (
    DropText,
    KeepRare,
    MaxEpochs,
    MaxMinutes,
    Missing,
    OutFile,
    SchemaFile,
    Seed,
    TableFile,
)
from llmsynth.cli.use_synthesizer import use_synthesizer
from llmsynth.errors import SettingsError
from llmsynth.tables import write_table
from llmsynth.uses.asked_groups import column_told

if TYPE_CHECKING:
    from llmsynth.uses.rebalanced import Rebalanced


class Method(StrEnum):
    """How rows of the group come about."""

    whole = "whole"
    redraw = "redraw"


class Learner(StrEnum):
    """Who is taught by each way of treating the rare rows."""

    boosting = "boosting"
    forest = "forest"
    linear = "linear"


def rebalance_command(
    table: TableFile,
    out: OutFile,
    column: Annotated[str | None, typer.Option(help="Column that tells the rare rows.")] = None,
    value: Annotated[
        str | None, typer.Option(help="Its rare value; told by itself where there are two.")
    ] = None,
    share: Annotated[
        float | None, typer.Option(help="Share of the table that it is to have.")
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(
            help='Instead: JSON list of groups, e.g. [{"where": {"fraud": "yes", "amount": '
            '{"minimum": 1000}}, "share": 0.1}].'
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Folder for the verdict (page, JSON) and the real rows held out."),
    ] = None,
    test: Annotated[Path | None, typer.Option(help="Real rows for the verdict.")] = None,
    test_share: Annotated[
        float, typer.Option(help="Share of TABLE held out for it instead; 0: no verdict.")
    ] = 0.25,
    method: Annotated[
        Method,
        typer.Option(
            help="whole: all cells are drawn; redraw: real rows of the group with about half of "
            "their cells drawn anew."
        ),
    ] = Method.whole,
    relabel: Annotated[
        bool,
        typer.Option("--relabel", help="Keep rows that a classifier of real rows agrees with."),
    ] = False,
    origin: Annotated[
        str | None, typer.Option(help="Add this column: is a row real or synthetic?")
    ] = None,
    seeds: Annotated[int, typer.Option(help="How often each way is taught for the verdict.")] = 5,
    learner: Annotated[
        list[Learner] | None,
        typer.Option(help="Learner of the verdict, the first decides; may be given again."),
    ] = None,
    schema: SchemaFile = None,
    missing: Missing = None,
    max_minutes: MaxMinutes = None,
    max_epochs: MaxEpochs = None,
    keep_rare: KeepRare = False,
    drop_text: DropText = False,
    seed: Seed = 0,
) -> None:
    """Write real train rows and synthetic ones of a rare group; say whether they help."""
    check_file(out)
    target = read_target(column, value, share, groups)
    synthesizer = use_synthesizer(
        None,
        target=column_told(target),
        schema=schema,
        missing=missing,
        keep_rare=keep_rare,
        drop_text=drop_text,
        max_minutes=max_minutes,
        max_epochs=max_epochs,
        seed=seed,
    )
    # These reach torch, which takes seconds to load.
    from llmsynth.uses.rebalancing import RebalanceSettings, rebalance
    from llmsynth.uses.verdict import JudgeSettings

    learners = tuple(one.value for one in learner or (Learner.boosting, Learner.linear))
    settings = RebalanceSettings(
        method=method.value,
        test_share=test_share,
        relabel=relabel,
        origin=origin,
        judging=JudgeSettings(learners=learners, num_seeds=seeds),
        seed=seed,
    )
    with ProgressBar("fit") as bar:
        found = rebalance(
            table,
            target,
            test=test,
            synthesizer=synthesizer,
            settings=settings,
            missing=missing or (),
            pages=report,
            progress=bar,
        )
    write_table(found.table, out)
    if report is not None:
        _write_report(found, report)
    _tell(found, out, report)


def read_target(
    column: str | None, value: str | None, share: float | None, groups: Path | None
) -> Any:
    """The groups and shares that the options ask for.

    Raises:
        SettingsError: neither or both ways to say it, or a file that holds no groups.
    """
    if groups is not None:
        if column is not None or share is not None:
            raise SettingsError("Give --groups, or --column and --share, not both.")
        try:
            found = json.loads(groups.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise SettingsError(f"{groups}: no JSON list of groups: {error}.") from error
        if not isinstance(found, list) or not all(isinstance(part, dict) for part in found):
            raise SettingsError(f"{groups}: expected a JSON list of groups.")
        return found
    if column is None or share is None:
        raise SettingsError("Expected --column NAME --share S, or --groups FILE.")
    return {column: share if value is None else {value: share}}


def _write_report(found: Rebalanced, folder: Path) -> None:
    from llmsynth.uses.record import rebalanced_record

    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(rebalanced_record(found), indent=1, default=str) + "\n"
    (folder / "verdict.json").write_text(text, encoding="utf-8")
    if found.test is not None:
        write_table(found.test, folder / "test.csv", schema=found.schema)


def _tell(found: Rebalanced, out: Path, report: Path | None) -> None:
    for account in found.groups:
        typer.echo(
            f"{account.group.label}: {account.added:,} rows added to {account.real:,}; its share "
            f"rose from {account.prior:.2%} to {account.share:.2%}."
            + (f" {account.relabelled:,} left out by the classifier." if account.relabelled else "")
        )
        if account.kept_cells is not None:
            typer.echo(
                f"{account.redrawn:,} of them began from a real row and share "
                f"{account.kept_cells:.0%} of their cells with it; "
                f"{account.copies:,} near copies left out."
            )
    typer.echo(found.words)
    held = f"; {found.test.num_rows:,} real rows held out" if found.test is not None else ""
    typer.echo(f"Wrote {found.table.num_rows:,} rows to {out}{held}.")
    if report is not None:
        typer.echo(f"The verdict in full: {report}")
    if short := sum(account.short for account in found.groups):
        typer.echo(f"partial: {short:,} rows did not come about", err=True)
        raise typer.Exit(PARTIAL)
