"""`llmsynth fit-related`, `llmsynth sample-related`: tables that name each other's rows."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from llmsynth.cli.failures import PARTIAL, TOO_LITTLE
from llmsynth.cli.fit_work import fit_work
from llmsynth.cli.groups import too_little_line
from llmsynth.cli.progress_bar import ProgressBar
from llmsynth.cli.shared_options import DropText, MaxSeconds, Missing, Temperature, TopP
from llmsynth.errors import SettingsError, TooLittleLearnedWarning
from llmsynth.relational.joining_file import RELATED
from llmsynth.schema.metadata_set import MetadataSet
from llmsynth.tables import read_table, write_table


def fit_related_command(
    metadata: Annotated[
        Path,
        typer.Argument(
            metavar="SET", help="JSON file of tables, their files, primary and foreign keys."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the synthesizer, made where needed.")],
    missing: Missing = None,
    order_by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TABLE=COL",
            help="Column that orders a table's rows under their parent; may be given again, and "
            "goes before `order_by` in SET.",
        ),
    ] = None,
    max_minutes: Annotated[
        float | None, typer.Option(help="Most minutes the fit of all tables may take.")
    ] = None,
    max_epochs: Annotated[float | None, typer.Option(help="Most passes over each table.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed and tables, same synthesizer.")] = 0,
    keep_rare: Annotated[
        bool, typer.Option("--keep-rare", help="Learn values of fewer than five parents, too.")
    ] = False,
    drop_text: DropText = False,
) -> None:
    """Learn a set of tables: parents first, children under their parents."""
    joined = _ordered(MetadataSet.read(metadata), order_by or ())
    is_ours = (out / RELATED.name).exists()
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not is_ours)):
        raise SettingsError(
            f"{out} holds something else than related tables.", hint="Name another --out."
        )
    files = {name: _file(metadata, name, joined) for name in joined.tables}
    tables = {name: read_table(path, missing=missing or ()) for name, path in files.items()}
    for name, table in tables.items():
        typer.echo(f"Read {table.num_rows:,} rows of {name} from {files[name]}.")
    # Reaches torch, which takes seconds to load.
    from llmsynth.relational.related import RelatedSynthesizer

    synthesizer = RelatedSynthesizer(
        joined,
        keep_rare=keep_rare,
        drop_text=drop_text,
        max_minutes=max_minutes,
        max_epochs=max_epochs,
        seed=seed,
    )
    with fit_work(out) as work:
        with ProgressBar("fit") as bar, warnings.catch_warnings():
            # It is told in the first line, and by the exit status.
            warnings.simplefilter("ignore", TooLittleLearnedWarning)
            synthesizer.fit(tables, checkpoint_dir=work, progress=bar)
        out.mkdir(parents=True, exist_ok=True)
        synthesizer.save(out)
    if synthesizer.too_little_:
        typer.echo(too_little_line(synthesizer.too_little_))
    typer.echo(f"Learned {len(tables)} tables in {synthesizer.fit_seconds_:.0f} seconds.")
    typer.echo(f"Next: llmsynth sample-related {out} --scale 1.0 --out synthetic")
    if synthesizer.too_little_:
        raise typer.Exit(TOO_LITTLE)


def sample_related_command(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="What `llmsynth fit-related` wrote.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for one CSV file a table.")],
    scale: Annotated[
        float, typer.Option(help="Rows of tables without parents, as a multiple of the real ones.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Same seed, same tables.")] = 0,
    temperature: Temperature = 1.0,
    top_p: TopP = 1.0,
    max_seconds: MaxSeconds = None,
) -> None:
    """Write a new set of tables whose keys all hold; exit status 3 where rows are missing."""
    from llmsynth.relational.related import RelatedSynthesizer

    synthesizer = RelatedSynthesizer.load(folder)
    with ProgressBar("sample") as bar:
        sample = synthesizer.sample(
            scale,
            seed=seed,
            temperature=temperature,
            top_p=top_p,
            max_seconds=max_seconds,
            progress=bar,
        )
    out.mkdir(parents=True, exist_ok=True)
    for name, table in sample.tables.items():
        write_table(table, out / f"{name}.csv", schema=sample.schemas[name])
        typer.echo(f"Wrote {table.num_rows:,} rows of {name}.")
    for link, share in sample.report.matched.items():
        typer.echo(f"{link}: {share:.0%} of the rows found a parent that is in all as drawn.")
    if sample.report.is_partial:
        for reason, count in sample.report.unfinished.items():
            typer.echo(f"partial: {reason}: {count:,}", err=True)
        raise typer.Exit(PARTIAL)


def _ordered(joined: MetadataSet, order_by: Sequence[str]) -> MetadataSet:
    """The set with the orders that `table=column` texts name.

    Raises:
        SettingsError: a text without `=`, or of an unknown table.
    """
    tables = dict(joined.tables)
    for text in order_by:
        name, equals, column = text.partition("=")
        if not equals or not column or name not in tables:
            raise SettingsError(
                f"--order-by must be TABLE=COLUMN of a table in the set, got {text!r}; there are "
                f"{', '.join(map(repr, tables))}."
            )
        tables[name] = replace(tables[name], order_by=column)
    return replace(joined, tables=tables)


def _file(metadata: Path, name: str, joined: MetadataSet) -> Path:
    """Where a table lies: beside the file of the set."""
    return metadata.parent / (joined.tables[name].file or f"{name}.csv")
