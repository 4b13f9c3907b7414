"""`llmsynth fit`: a table becomes a saved synthesizer, also when Ctrl-C ends the work early."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pyarrow as pa
import typer

from llmsynth.cli.decision_table import print_decisions
from llmsynth.cli.declared_personal import declared_by
from llmsynth.cli.failures import INTERRUPTED, TOO_LITTLE
from llmsynth.cli.fit_ledger import LedgerCharge
from llmsynth.cli.fit_work import fit_work, has_checkpoint
from llmsynth.cli.groups import GroupOptions, fit_groups, is_of_groups, refuse_for_groups
from llmsynth.cli.progress_bar import ProgressBar
from llmsynth.cli.ray_options import Place, ray_launcher
from llmsynth.cli.record import learned_lines
from llmsynth.cli.shared_options import (
    DropText,
    KeepRare,
    MaxEpochs,
    MaxMinutes,
    Missing,
    NotPersonal,
    Personal,
    SchemaFile,
    Target,
)
from llmsynth.cli.table_source import schema_to_learn, table_to_learn
from llmsynth.errors import SettingsError, TooLittleLearnedWarning
from llmsynth.relational.no_private_fit import refuse_privacy
from llmsynth.schema import TableSchema

if TYPE_CHECKING:
    from llmsynth.synthesizers import Synthesizer
    from llmsynth.training.launching import Launcher

_MARK = "provenance.json"
_FILES = ("config.json", "tokenizer.json", "schema.json", "model.safetensors", "adapter")
_TAKEN_UP = 0.005
"""Share done at the first report from which a fit must have gone on from a checkpoint."""


class PersonalChoice(StrEnum):
    """What becomes of personal data before anything is learned."""

    REPLACE = "replace"
    KEEP = "keep"
    REFUSE = "refuse"


class TextPath(StrEnum):
    """What a pretrained model writes of a table."""

    joint = "joint"
    pretrained = "pretrained"


def fit_command(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            help="CSV, Parquet or Arrow file to learn; or a folder or an address of Parquet files "
            "that need not fit into memory.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the synthesizer, made where needed; the table's name when omitted."
        ),
    ] = None,
    target: Target = None,
    schema: SchemaFile = None,
    model: Annotated[
        str,
        typer.Option(help="`compact`, or a pretrained one: short name, hub id or local folder."),
    ] = "compact",
    text_path: Annotated[
        TextPath,
        typer.Option(
            help="What a pretrained model writes: the texts (joint), or every column (pretrained)."
        ),
    ] = TextPath.joint,
    copy_guard: Annotated[
        int,
        typer.Option(help="Most tokens in a row a text may share with a training text; 0: any."),
    ] = 15,
    rank: Annotated[int, typer.Option(help="Width of the LoRA adapter's matrices.")] = 16,
    processes: Annotated[
        int, typer.Option(help="Processes that train together, by `accelerate launch` or on Ray.")
    ] = 1,
    shard_weights: Annotated[
        bool,
        typer.Option(
            "--shard-weights",
            help="Spread a pretrained model's weights over the processes (FSDP2).",
        ),
    ] = False,
    on: Annotated[
        Place, typer.Option(help="Train on this machine, or on a Ray cluster by Ray Train.")
    ] = Place.here,
    cpus_per_worker: Annotated[float, typer.Option(help="Processors of a Ray process.")] = 1.0,
    gpus_per_worker: Annotated[float, typer.Option(help="GPUs of a Ray process.")] = 0.0,
    ray_address: Annotated[
        str | None, typer.Option(help="Ray cluster; RAY_ADDRESS, or one of this machine alone.")
    ] = None,
    with_base: Annotated[
        bool, typer.Option("--with-base", help="Save a copy of the pretrained model, too.")
    ] = False,
    missing: Missing = None,
    max_minutes: MaxMinutes = None,
    max_epochs: MaxEpochs = None,
    fit_rows: Annotated[
        int | None,
        typer.Option(
            help="Learn so many rows, drawn evenly from Parquet files read in passes; 200,000 of a "
            "folder when omitted."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed and table, same synthesizer.")] = 0,
    keep_rare: KeepRare = False,
    drop_text: DropText = False,
    personal_data: Annotated[
        PersonalChoice,
        typer.Option(help="Names, e-mails, phones, ids of people that are found in columns."),
    ] = PersonalChoice.REPLACE,
    personal: Personal = None,
    not_personal: NotPersonal = None,
    rules: Annotated[
        bool,
        typer.Option(
            "--rules/--no-rules",
            help="Find rules that every row keeps (sums, what one column fixes of another, what "
            "comes first), and keep them in every new row; not with --schema.",
        ),
    ] = True,
    epsilon: Annotated[
        float | None, typer.Option(help="Fit under differential privacy, spending at most this.")
    ] = None,
    delta: Annotated[
        float | None, typer.Option(help="Of differential privacy; 1 / (10 units) when omitted.")
    ] = None,
    entity: Annotated[
        str | None, typer.Option(help="Column that names whose row it is; else each row counts.")
    ] = None,
    rows_per_entity: Annotated[int, typer.Option(help="Most rows of one entity.")] = 1,
    epsilon_cap: Annotated[
        float | None,
        typer.Option(help="Most epsilon that may ever be spent on this table; kept in its ledger."),
    ] = None,
    insecure_seed: Annotated[
        int | None, typer.Option(help="Repeatable private noise, for experiments only.")
    ] = None,
    group_by: Annotated[
        str | None, typer.Option(help="Column that names the entity several rows belong to.")
    ] = None,
    order_by: Annotated[
        str | None, typer.Option(help="With --group-by: column that orders an entity's rows.")
    ] = None,
    static: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COL",
            help="With --group-by: the same in all rows of an entity; may be given again. Detected "
            "when omitted.",
        ),
    ] = None,
) -> None:
    """Learn a table. Ctrl-C keeps what is learned; the same command then goes on from there.

    Exit status 4 where --max-minutes ended the fit before much was learned.
    """
    if shard_weights and (model == "compact" or group_by is not None):
        raise SettingsError("--shard-weights is for a pretrained --model of single rows.")
    declared = declared_by(personal, not_personal)
    if declared and (epsilon is not None or group_by is not None):
        raise SettingsError(
            "--personal and --not-personal are for a plain fit; with --group-by, say `personal` of "
            "the column in --schema. A private fit has its own rule for what comes out of it."
        )
    typed = TableSchema.read(schema) if schema is not None else None
    launcher = None
    if on is Place.ray:
        if epsilon is not None:
            raise SettingsError("A private fit runs in one process; --on ray is not for it.")
        launcher = ray_launcher(ray_address, processes, cpus_per_worker, gpus_per_worker)
    if group_by is None and (order_by is not None or static):
        raise SettingsError("--order-by and --static need --group-by.")
    if group_by is not None:
        refuse_privacy(epsilon)
        others = {"--target": target, "--entity": entity}
        given = {name: value is not None for name, value in others.items()}
        refuse_for_groups(given | {"--on": on is Place.ray})
    out = _named_after(table) if out is None else out
    prepare_folder(out, of_groups=group_by is not None)
    source = table_to_learn(table, fit_rows, missing or (), seed=seed)
    rows = source.rows
    typer.echo(source.words)
    if group_by is not None:
        options = GroupOptions(
            group_by=group_by,
            order_by=order_by,
            static=static or None,
            model=model,
            copy_guard=copy_guard or None,
            rank=rank,
            schema=typed,
            missing=missing or (),
            keep_rare=keep_rare,
            drop_text=drop_text,
            max_minutes=max_minutes,
            max_epochs=max_epochs,
            seed=seed,
        )
        fit_groups(rows, out, options)
        return
    # Reaches torch, which takes seconds to load: not before the input has proved readable.
    from llmsynth.synthesizers import Synthesizer
    from llmsynth.synthesizers.text_settings import TextSettings
    from llmsynth.training.tuning_settings import TuningSettings

    text = TextSettings(
        path=text_path.value,
        copy_guard=copy_guard or None,
        processes=processes,
        with_base=with_base,
        tuning=TuningSettings(rank=rank, shard_weights=shard_weights),
    )
    synthesizer = Synthesizer(
        model=model,
        text=text,
        target=target,
        schema=schema_to_learn(typed, source, target, is_private=epsilon is not None),
        missing=missing or (),
        keep_rare=keep_rare,
        drop_text=drop_text,
        personal_data=personal_data.value,
        personal=declared,
        find_rules=rules,
        max_minutes=max_minutes,
        max_epochs=max_epochs,
        seed=seed,
        epsilon=epsilon,
        delta=delta,
        entity=entity,
        rows_per_entity=rows_per_entity,
        insecure_seed=insecure_seed,
    )
    fitting = fit_into(
        synthesizer,
        rows,
        out,
        launcher=launcher,
        sampled_from=source.sampled_from,
        epsilon_cap=epsilon_cap,
    )
    for line in fitting.lines:
        typer.echo(line)
    if fitting.is_partial:
        typer.echo(
            f"interrupted: the synthesizer in {out} is partial, from the best weights so far; "
            f"the same command {fitting.sequel}.",
            err=True,
        )
        raise typer.Exit(INTERRUPTED)
    typer.echo(f"Next: llmsynth sample {out} --rows {rows.num_rows} --out synthetic.csv")
    if fitting.is_too_little:
        raise typer.Exit(TOO_LITTLE)


def _named_after(table: str) -> Path:
    """A folder here with the table's name, less its endings: `people` for `data/people.csv`."""
    name = table.split("?")[0].rstrip("/").rsplit("/", 1)[-1].split(".")[0]
    return Path("table" if name in ("", "-") else name)


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """How a fit went, in words."""

    lines: list[str]
    is_partial: bool
    is_too_little: bool
    """Whether a time limit came before much was learned."""
    sequel: str
    """What the same command does next."""


def fit_into(
    synthesizer: Synthesizer,
    table: pa.Table,
    folder: Path,
    *,
    launcher: Launcher | None = None,
    sampled_from: Mapping[str, object] | None = None,
    epsilon_cap: float | None = None,
) -> Fitting:
    """Fit with a progress bar and a checkpoint, and save the synthesizer, whole or partial."""
    # The first report of a language model comes after a step, so a share alone says nothing.
    lines = []
    with fit_work(folder) as work:
        may_go_on = has_checkpoint(folder)
        charge = LedgerCharge(synthesizer, table, folder, epsilon_cap)
        with ProgressBar("fit") as bar, warnings.catch_warnings():
            # It is told in the first line, and by the exit status.
            warnings.simplefilter("ignore", TooLittleLearnedWarning)
            synthesizer.fit(
                table,
                checkpoint_dir=work,
                progress=bar,
                launcher=launcher,
                sampled_from=sampled_from,
                decided=print_decisions,
            )
        if may_go_on and (bar.started_at or 0.0) > _TAKEN_UP:
            lines.append(f"Went on from the checkpoint at {bar.started_at:.0%}.")
        charge.bind(synthesizer)
        synthesizer.save(folder)
        charge.finish()
    kilobytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1000
    lines += learned_lines(synthesizer.provenance_)
    lines.append(f"Saved to {folder}, {kilobytes:,.0f} kB.")
    # Ctrl-C within one step before the first checkpoint leaves none.
    goes_on = has_checkpoint(folder)
    return Fitting(
        lines=lines,
        is_partial=synthesizer.training_.stopped == "interrupted",
        is_too_little=synthesizer.training_.trained != "enough",
        sequel="goes on from its work files" if goes_on else "starts afresh",
    )


def prepare_folder(folder: Path, *, of_groups: bool = False) -> None:
    """Make the folder of a synthesizer, and refuse one that holds other files of its names.

    Args:
        of_groups: whether the synthesizer is one of groups of rows.

    Raises:
        SettingsError: something else is in the way.
    """
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{folder} is a file; expected a folder.", hint="Name another --out.")
    taken = [name for name in (*_FILES, _MARK) if (folder / name).exists()]
    if taken and not _is_ours(folder / _MARK):
        raise SettingsError(
            f"{folder} holds {', '.join(taken)} of something else than llmsynth.",
            hint="Name another --out.",
        )
    if is_of_groups(folder) != of_groups and (taken or is_of_groups(folder)):
        held = "groups of rows" if is_of_groups(folder) else "single rows"
        raise SettingsError(f"{folder} holds a synthesizer of {held}.", hint="Name another --out.")
    folder.mkdir(parents=True, exist_ok=True)


def _is_ours(provenance: Path) -> bool:
    try:
        record = json.loads(provenance.read_text(encoding="utf-8"))
    except (FileNotFoundError, UnicodeDecodeError, json.JSONDecodeError):
        return False
    return isinstance(record, dict) and str(record.get("format")).startswith("llmsynth-bundle")
