"""`llmsynth sample`: a saved synthesizer writes new rows to a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmsynth.cli.failures import INTERRUPTED, PARTIAL
from llmsynth.cli.groups import is_of_groups, sample_groups
from llmsynth.cli.guard_words import guard_line
from llmsynth.cli.ray_options import Place
from llmsynth.cli.row_stream import check_file, shortfall, stream_rows
from llmsynth.cli.shard_stream import is_folder, row_count, stream_shards
from llmsynth.cli.shared_options import MaxSeconds, Temperature, TopP
from llmsynth.engines.engine_choice import EngineChoice
from llmsynth.errors import ConditionError, SettingsError

if TYPE_CHECKING:
    from llmsynth.generation.sample import SampleReport


def sample_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `llmsynth fit` wrote.")],
    out: Annotated[
        str,
        typer.Option(
            metavar="PATH",
            help="File to write (.csv, .csv.gz, .parquet, .arrow, .feather); or a folder or an "
            "address such as s3://bucket/table for Parquet shards, which goes on where it ended.",
        ),
    ],
    rows: Annotated[
        int | None,
        typer.Option(
            parser=row_count,
            metavar="N",
            help="How many rows, 1e9 if need be; with --given as many as that file has.",
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COL=VALUE", help="Fix a column's value; may be given again."),
    ] = None,
    where_missing: Annotated[
        list[str] | None,
        typer.Option(metavar="COL", help="Leave a column's cells missing; may be given again."),
    ] = None,
    given: Annotated[
        Path | None, typer.Option(help="Table of some columns: each of its rows is completed.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same rows.")] = 0,
    temperature: Temperature = 1.0,
    top_p: TopP = 1.0,
    max_seconds: MaxSeconds = None,
    on: Annotated[
        Place, typer.Option(help="Draw in this process, or on a Ray cluster: --out is a folder.")
    ] = Place.here,
    workers: Annotated[
        int | None, typer.Option(help="Ray workers; as many as the cluster has room for.")
    ] = None,
    cpus_per_worker: Annotated[float, typer.Option(help="Processors of a Ray worker.")] = 1.0,
    gpus_per_worker: Annotated[float, typer.Option(help="GPUs of a Ray worker.")] = 0.0,
    ray_address: Annotated[
        str | None, typer.Option(help="Ray cluster; RAY_ADDRESS, or one of this machine alone.")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="What runs a pretrained model: local, vllm or openai (a server).")
    ] = "local",
    base_url: Annotated[
        str | None,
        typer.Option(
            help="The server of --engine openai, up to /v1; LLMSYNTH_API_KEY is sent to it."
        ),
    ] = None,
    served_model: Annotated[
        str | None, typer.Option(help="What the server calls the base model; its first if omitted.")
    ] = None,
    groups: Annotated[
        int | None,
        typer.Option(help="How many groups, of a synthesizer fitted with --group-by."),
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(help="With --groups: most rows of a group; longer ones stop.")
    ] = None,
) -> None:
    """Write synthetic rows. Ctrl-C keeps those there are; exit status 3 means fewer than asked."""
    is_sharded = is_folder(out)
    if on is Place.ray and not is_sharded:
        raise SettingsError(
            f"--out {out} is a file; on Ray many workers write.",
            hint="Name a folder or an address such as s3://bucket/table.",
        )
    if not is_sharded:
        check_file(Path(out))
    conditions = read_conditions(where or (), where_missing or ())
    choice = EngineChoice(
        kind=engine,
        base_url=base_url,
        served_model=served_model,
        api_key=os.environ.get("LLMSYNTH_API_KEY") if engine == "openai" else None,
    )
    if is_sharded and not choice.is_local:
        raise SettingsError(
            f"--engine {engine} writes one file, and --out {out} is a folder of shards.",
            hint="Name a file, or leave the engine out.",
        )
    if is_of_groups(folder):
        if rows is not None or is_sharded or (groups is None and given is None):
            raise SettingsError(
                f"{folder} writes groups: expected --groups N (or --given FILE) and a file as "
                "--out, without --rows."
            )
        sample_groups(
            folder,
            Path(out),
            groups=groups,
            where=conditions,
            given=given,
            seed=seed,
            temperature=temperature,
            top_p=top_p,
            max_length=max_length,
            max_seconds=max_seconds,
        )
        return
    if groups is not None or max_length is not None:
        raise SettingsError(f"{folder} writes single rows; it was not fitted with --group-by.")
    if rows is None and given is None:
        raise SettingsError("Expected --rows N or --given FILE; neither came.")
    # These reach torch, which takes seconds to load: not before the options are known to be good.
    from llmsynth.cluster import RaySettings
    from llmsynth.generation.generator import SamplingSettings
    from llmsynth.synthesizers import Synthesizer

    settings = SamplingSettings(
        seed=seed, temperature=temperature, top_p=top_p, max_seconds=max_seconds
    )
    if is_sharded:
        ray = RaySettings(
            address=ray_address, workers=workers, cpus=cpus_per_worker, gpus=gpus_per_worker
        )
        report = stream_shards(
            folder,
            rows,
            out,
            settings=settings,
            where=conditions,
            given=given,
            ray=ray if on is Place.ray else None,
        )
    else:
        synthesizer = Synthesizer.load(folder)
        report = stream_rows(
            synthesizer,
            rows,
            Path(out),
            settings=settings,
            where=conditions,
            given=given,
            engine=choice,
        )
    typer.echo(written_line(report, out))
    if report.is_partial:
        typer.echo(f"partial: {shortfall(report)}", err=True)
        raise typer.Exit(INTERRUPTED if report.stopped == "interrupted" else PARTIAL)


def read_conditions(where: Sequence[str], where_missing: Sequence[str]) -> dict[str, str | None]:
    """Column to fixed value, None for missing, from `column=value` texts.

    A text is split at its first `=`; nothing after it is the empty text, not a missing cell.

    Raises:
        ConditionError: a text without `=`, or a column named twice.
    """
    pairs: list[tuple[str, str | None]] = []
    for text in where:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ConditionError(f"--where must be COLUMN=VALUE, got {text!r}.")
        pairs.append((name, value))
    pairs += [(name, None) for name in where_missing]
    conditions = dict(pairs)
    if len(conditions) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ConditionError(f"Column {twice!r} is fixed twice.", hint="Fix it once.")
    return conditions


def written_line(report: SampleReport, out: Path | str) -> str:
    """How many rows went where, how fast, and how much the grammar had to remove."""
    count = f"{report.rows:,}" + (f" of {report.asked:,}" if report.is_partial else "")
    speed = report.rows / max(report.seconds, 1e-9)
    redrawn = f", {report.redrawn:,} drawn again" if report.redrawn else ""
    return (
        f"Wrote {count} rows to {out} in {report.seconds:.1f} seconds ({speed:,.0f} a second)"
        f"{redrawn}; the grammar masked {_masked(report):.2%} of the probability."
        + _guarded(report)
        + _texts_guarded(report)
    )


def _masked(report: SampleReport) -> float:
    return report.masked_mass if report.text_masked_mass is None else report.text_masked_mass


def _texts_guarded(report: SampleReport) -> str:
    if report.text_guard == "absent":
        return (
            " No guard of texts: the folder NAME.owner that `fit` wrote beside the synthesizer is "
            "not here, so texts of single training rows may come out."
        )
    if not report.redrawn_texts:
        return ""
    stayed = f"; {report.copied_texts:,} stayed so" if report.copied_texts else ""
    return (
        f" {report.redrawn_texts:,} texts equalled one of few training rows and were drawn again"
        f"{stayed}."
    )


def _guarded(report: SampleReport) -> str:
    if report.memorization_guard == "absent":
        return guard_line(report.memorization_guard)
    if not report.blocked_spans and not report.copied_rows:
        return ""
    return (
        f" The guard turned {report.blocked_spans:,} draws away from the training texts in "
        f"{report.guarded_rows:,} rows; {report.copied_rows:,} rows hold a long span all the same."
    )
