"""`llmsynth demo`: a small real table learned, written anew and judged, from start to page."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import typer

from llmsynth import demo_tables
from llmsynth.cli.clinical import clinical_demo
from llmsynth.cli.failures import INTERRUPTED, PARTIAL
from llmsynth.cli.fit import fit_into, prepare_folder
from llmsynth.cli.judging import DemoFiles, judged
from llmsynth.cli.row_stream import shortfall, stream_rows
from llmsynth.cli.sample import written_line
from llmsynth.demo_tables import DemoTable
from llmsynth.judging import require_judges
from llmsynth.schema import CategoryColumn, TableSchema, infer_schema
from llmsynth.tables import write_table

SPLIT_SEED = 0
DEFAULT_MINUTES = 2.0


class DemoName(StrEnum):
    """The demo tables that hold typed columns only."""

    adult = "adult"
    sick_thyroid = "sick_thyroid"


def demo_command(
    out: Annotated[Path, typer.Option(help="Folder for everything the demo makes.")] = Path("demo"),
    table: Annotated[DemoName, typer.Option(help="Which packaged table.")] = DemoName.adult,
    max_minutes: Annotated[
        float | None, typer.Option(help="Most minutes the fit may take; 2, clinical 20.")
    ] = None,
    clinical: Annotated[
        bool, typer.Option("--clinical", help="Clinical notes by a language model instead.")
    ] = False,
    model: Annotated[
        str, typer.Option(help="With --clinical: the pretrained model.")
    ] = "smollm2-135m",
) -> None:
    """Fit a small real table, write a synthetic one, and measure it against held-out real rows."""
    if clinical:
        clinical_demo(out, max_minutes=max_minutes, model=model)
        return
    max_minutes = DEFAULT_MINUTES if max_minutes is None else max_minutes
    require_judges()
    about, files = demo_tables.describe(table.value), DemoFiles(out)
    prepare_folder(files.synthesizer)
    typer.echo(f"{about.title}\n{about.citation} {about.licence}.\n")
    train, schema = _split(about, files)
    is_whole = _fit_and_sample(about, files, train, schema, max_minutes)
    typer.echo(
        "Judging: every figure of the synthetic rows beside the same of held-out real rows.\n"
    )
    typer.echo(judged(files, about.target, title=f"llmsynth demo: {about.name}"))
    typer.echo(f"The page: {files.page}\n\nNext, for example:")
    for command in _next_commands(files, about, schema):
        typer.echo(f"  {command}")
    if not is_whole:
        raise typer.Exit(PARTIAL)


def halves(table: pa.Table, *, seed: int) -> tuple[pa.Table, pa.Table]:
    """Two random halves of the different rows of a table, so that no row is in both."""
    different = table.group_by(table.column_names, use_threads=False).aggregate([])
    order = np.random.default_rng(seed).permutation(different.num_rows)
    middle = different.num_rows // 2
    return different.take(pa.array(order[:middle])), different.take(pa.array(order[middle:]))


def _split(about: DemoTable, files: DemoFiles) -> tuple[pa.Table, TableSchema]:
    """Write the two real halves and the schema of the first."""
    train, holdout = halves(demo_tables.load(about.name), seed=SPLIT_SEED)
    schema = infer_schema(train, target=about.target)
    write_table(train, files.train)
    write_table(holdout, files.holdout)
    files.schema.write_text(schema.to_json(), encoding="utf-8")
    typer.echo(
        f"Split: {train.num_rows:,} rows to learn ({files.train}), "
        f"{holdout.num_rows:,} held out ({files.holdout})."
    )
    return train, schema


def _fit_and_sample(
    about: DemoTable, files: DemoFiles, train: pa.Table, schema: TableSchema, max_minutes: float
) -> bool:
    """Make the synthesizer and its rows; whether all rows came."""
    # These reach torch, which takes seconds to load.
    from llmsynth.generation.generator import SamplingSettings
    from llmsynth.synthesizers import Synthesizer

    synthesizer = Synthesizer(
        target=about.target, schema=schema, missing=about.missing, max_minutes=max_minutes
    )
    fitting = fit_into(synthesizer, train, files.synthesizer)
    for line in fitting.lines:
        typer.echo(line)
    if fitting.is_partial:
        typer.echo(
            f"interrupted: {files.synthesizer} holds what was learned so far; "
            f"the same command {fitting.sequel}.",
            err=True,
        )
        raise typer.Exit(INTERRUPTED)
    report = stream_rows(synthesizer, train.num_rows, files.synthetic, settings=SamplingSettings())
    typer.echo(written_line(report, files.synthetic))
    if report.is_partial:
        typer.echo(f"partial: {shortfall(report)}", err=True)
    if report.stopped == "interrupted":
        raise typer.Exit(INTERRUPTED)
    return not report.is_partial


def _next_commands(files: DemoFiles, about: DemoTable, schema: TableSchema) -> list[str]:
    target = schema.column(about.target)
    where = (
        f" --where {shlex.quote(f'{target.name}={target.categories[-1]}')}"
        if isinstance(target, CategoryColumn)
        else ""
    )
    folder = shlex.quote(str(files.synthesizer))
    return [
        f"llmsynth inspect {folder}",
        f"llmsynth sample {folder} --rows 1000 --out more.csv{where}",
        "llmsynth fit YOUR_TABLE.csv --out my_synthesizer",
    ]
