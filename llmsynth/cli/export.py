"""`llmsynth export DIR`: a synthesizer as one file to hand on, without what stays at home."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Annotated

import typer

from llmsynth.bundle.export_checks import NAMES, findings, shipped_files
from llmsynth.bundle.owner import OwnerFolder
from llmsynth.cli.shared_options import Missing
from llmsynth.errors import BundleError, SettingsError
from llmsynth.tables import read_table

_NOTE = "export.json"


def export_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `llmsynth fit` wrote.")],
    out: Annotated[Path, typer.Option(help="The ZIP file to write.")],
    data: Annotated[
        Path | None,
        typer.Option(help="The training table, whose long cells are looked for in every file."),
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(metavar="FINDING", help="Export in spite of it; recorded in the file."),
    ] = None,
    missing: Missing = None,
) -> None:
    """Check a synthesizer for what would leak, and write it without its owner's folder."""
    if out.suffix != ".zip":
        raise SettingsError(f"--out must be a .zip file, got {out}.")
    if not (folder / "config.json").is_file() and not list(folder.glob("*/config.json")):
        raise BundleError(f"{folder} is not a saved synthesizer.", hint="Name what `fit` wrote.")
    if unknown := sorted(set(accept or ()) - set(NAMES)):
        raise SettingsError(f"--accept must be one of {', '.join(NAMES)}; got {unknown[0]!r}.")
    table = None if data is None else read_table(data, missing=missing or ())
    found = findings(folder, table)
    refused = [finding for finding in found if finding.name not in (accept or ())]
    if refused:
        told = " ".join(f"[{finding.name}] {finding.words}" for finding in refused)
        raise BundleError(
            f"{folder} would leak: {told}",
            hint=f"Fit anew with this build, or --accept {refused[0].name}.",
        )
    note = {
        "searched_for_cells_of_the_table": table is not None,
        "accepted": [{"name": f.name, "found": f.words} for f in found],
    }
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in shipped_files(folder):
            archive.write(path, path.relative_to(folder).as_posix())
        archive.writestr(_NOTE, json.dumps(note, indent=2) + "\n")
    if table is None:
        typer.echo("Not searched for cells of the training table: --data TABLE does.")
    for finding in found:
        typer.echo(f"accepted: [{finding.name}] {finding.words}")
    left = OwnerFolder.of(folder).root
    typer.echo(f"Wrote {out}. {left} was left out and stays at home.")
