"""`llmsynth prompt`: rows of a table that a language model is shown a few rows of, or told of."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmsynth.cli.failures import INTERRUPTED, PARTIAL
from llmsynth.cli.progress_bar import ProgressBar
from llmsynth.cli.row_stream import check_file, shortfall
from llmsynth.cli.shared_options import MaxSeconds, OutFile
from llmsynth.errors import ConditionError, SamplingError, SettingsError
from llmsynth.schema import TableSchema
from llmsynth.tables import write_table

if TYPE_CHECKING:
    from llmsynth.engines.engine import RowEngine
    from llmsynth.synthesizers.prompted_settings import PromptedReport

KEY_VARIABLE = "LLMSYNTH_API_KEY"


class EngineName(StrEnum):
    """Where the model runs."""

    local = "local"
    vllm = "vllm"
    openai = "openai"


def prompt_command(
    out: OutFile,
    schema: Annotated[
        Path | None,
        typer.Argument(
            metavar="[SCHEMA]",
            help="Schema as JSON, best with descriptions; inferred from the examples if omitted.",
        ),
    ] = None,
    examples: Annotated[Path | None, typer.Option(help="Table of example rows.")] = None,
    rows: Annotated[int, typer.Option(help="How many rows.")] = 100,
    instruction: Annotated[str, typer.Option(help="What the table is about, in words.")] = "",
    quota: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COL=VALUE:SHARE", help="Share of the rows with a value; may be given again."
        ),
    ] = None,
    marginal: Annotated[
        list[str] | None,
        typer.Option(metavar="COL", help="Draw a column as the examples tell; may be repeated."),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Examples of a prompt are balanced over its values.")
    ] = None,
    missing: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="A cell text of the examples that means missing."),
    ] = None,
    model: Annotated[
        str, typer.Option(help="Short name, folder or hub id; with --engine openai, whose tokens.")
    ] = "smollm2-135m",
    engine: Annotated[EngineName, typer.Option(help="What runs the model.")] = EngineName.local,
    base_url: Annotated[
        str | None, typer.Option(help=f"Of the server, with /v1; its key in ${KEY_VARIABLE}.")
    ] = None,
    served_model: Annotated[
        str | None, typer.Option(help="The model's name on the server; its first if omitted.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same rows.")] = 0,
    temperature: Annotated[float, typer.Option(help="Below 1: more of the usual.")] = 1.0,
    top_p: Annotated[float, typer.Option(help="Draw from the likeliest that reach this.")] = 1.0,
    max_seconds: MaxSeconds = None,
    record: Annotated[
        Path | None, typer.Option(help="JSON file for template, model, hashes and settings.")
    ] = None,
) -> None:
    """Ask a language model for rows. Ctrl-C keeps those there are; exit status 3: fewer came."""
    check_file(out)
    quotas = read_quotas(quota or ())
    described = None if schema is None else TableSchema.read(schema)
    if (engine is EngineName.openai) != (base_url is not None):
        raise SettingsError("--engine openai and --base-url belong together; one of them came.")
    # These reach torch, which takes seconds to load: not before the options are known to be good.
    from llmsynth.synthesizers.prompted import PromptedSynthesizer

    with _opened(engine, model, base_url, served_model) as runner:
        synthesizer = PromptedSynthesizer(
            schema=described,
            examples=examples,
            instruction=instruction,
            model=model,
            engine=runner,
            target=target,
            marginals=dict.fromkeys(marginal or (), "examples"),
            missing=tuple(missing or ()),
        )
        with ProgressBar("prompt") as bar:
            sample = synthesizer.sample(
                rows,
                quotas=quotas,
                temperature=temperature,
                top_p=top_p,
                seed=seed,
                max_seconds=max_seconds,
                progress=bar,
            )
    report = sample.report
    if not report.rows:
        raise SamplingError(
            f"None of {report.asked:,} rows came about: {shortfall(report)}.",
            hint="Give more examples, a larger model, or more time.",
        )
    write_table(sample.table, out, schema=sample.schema)
    if record is not None:
        text = json.dumps(dict(sample.provenance), indent=2, ensure_ascii=False)
        record.write_text(text + "\n", encoding="utf-8")
    typer.echo(told(report, out))
    if report.is_partial:
        typer.echo(f"partial: {shortfall(report)}", err=True)
        raise typer.Exit(INTERRUPTED if report.stopped == "interrupted" else PARTIAL)


def read_quotas(texts: Sequence[str]) -> dict[str, dict[object, float]]:
    """Column to value to share, from `column=value:share` texts.

    The column ends at the first `=`, the value at the last `:`.

    Raises:
        ConditionError: another form, or a value that has a share already.
    """
    quotas: dict[str, dict[object, float]] = {}
    for text in texts:
        name, _, rest = text.partition("=")
        value, colon, share = rest.rpartition(":")
        try:
            number = float(share)
        except ValueError:
            colon = ""
        if not colon or not name:
            raise ConditionError(f"--quota must be COLUMN=VALUE:SHARE, got {text!r}.")
        if value in quotas.setdefault(name, {}):
            raise ConditionError(f"--quota: {name}={value} is given twice.")
        quotas[name][value] = number
    return quotas


def told(report: PromptedReport, out: Path) -> str:
    """How many rows went where, and what was drawn anew."""
    count = f"{report.rows:,}" + (f" of {report.asked:,}" if report.is_partial else "")
    anew = {
        "duplicates": report.duplicates,
        "verbatim copies of examples": report.verbatim_copies,
        "near copies": report.near_copies,
        "rows against a constraint": report.broken,
        "rows that did not end": report.unfinished,
    }
    turned_away = ", ".join(f"{number:,} {what}" for what, number in anew.items() if number)
    return (
        f"Wrote {count} rows to {out} in {report.seconds:.1f} seconds; "
        f"prompts: {report.prompts:,}, of {report.fewest_examples} examples or more. Turned away: "
        f"{turned_away or 'none'}."
    )


@contextmanager
def _opened(
    engine: EngineName, model: str, base_url: str | None, served_model: str | None
) -> Iterator[RowEngine | None]:
    """The engine that was asked for, closed afterwards; None for the one in this process."""
    if engine is EngineName.local:
        yield None
        return
    from llmsynth.synthesizers.prompted_engine import served_engine

    runner = served_engine(
        model, base_url=base_url, served_model=served_model, key=os.environ.get(KEY_VARIABLE)
    )
    try:
        yield runner
    finally:
        runner.close()
