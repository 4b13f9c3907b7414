"""The command `python -m llmsynth_eval judge`: three files in, a judgement out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from llmsynth.errors import InputError, LlmsynthError, TableError
from llmsynth.schema.table_schema import TableSchema
from llmsynth_eval.judgement import Judgement
from llmsynth_eval.pages.page import write_page
from llmsynth_eval.runner import judge


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 on success, 2 where something given was wrong."""
    options = _parser().parse_args(arguments)
    try:
        _judge(options)
    except LlmsynthError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV (possibly compressed) or Parquet file; only the empty cell is missing.

    Raises:
        TableError: the file is not there or cannot be read.
    """
    try:
        if Path(path).suffix in (".parquet", ".pq"):
            return pd.read_parquet(path)
        return pd.read_csv(path, keep_default_na=False, na_values=[""], low_memory=False)
    except (OSError, ValueError) as error:
        raise TableError(
            f"Cannot read the table {path}: {error}.", hint="Give a CSV or Parquet file."
        ) from error


def _judge(options: argparse.Namespace) -> None:
    tables = {
        role: read_table(getattr(options, role)) for role in ("train", "synthetic", "holdout")
    }
    judgement = judge(
        tables["train"],
        tables["synthetic"],
        tables["holdout"],
        target=options.target,
        numeric=options.numeric,
        schema=TableSchema.read(options.schema) if options.schema else None,
        seed=options.seed,
        floor=options.floor,
        max_rows=options.max_rows,
    )
    print(judgement.to_text(), end="")
    if options.json:
        _write(judgement, options.json)
    if options.out:
        files = {role: Path(getattr(options, role)).name for role in tables}
        write_page(
            judgement,
            tables["train"],
            tables["synthetic"],
            options.out,
            title=options.title or f"Synthetic table {files['synthetic']}",
            provenance={f"{role} file": name for role, name in files.items()},
        )


def _write(judgement: Judgement, path: str) -> None:
    try:
        Path(path).write_text(judgement.to_json(), encoding="utf-8")
    except OSError as error:
        raise InputError(f"Cannot write the judgement {path}: {error}.") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m llmsynth_eval", description=__doc__)
    command = parser.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "judge", help="measure a synthetic table against real ones"
    )
    for role, words in (
        ("train", "rows the synthesizer learned from"),
        ("synthetic", "rows it made"),
        ("holdout", "real rows it never saw"),
    ):
        command.add_argument(f"--{role}", required=True, metavar="FILE", help=words)
    command.add_argument("--target", help="column to predict for TSTR and TRTR")
    command.add_argument("--numeric", nargs="+", metavar="COLUMN", help="the numeric columns")
    command.add_argument("--schema", metavar="FILE", help="schema.json that names the kinds")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--max-rows", type=int, help="most rows for C2ST, TSTR and DCR share")
    command.add_argument("--no-floor", dest="floor", action="store_false")
    command.add_argument("--out", metavar="FILE", help="write the report page (HTML)")
    command.add_argument("--json", metavar="FILE", help="write the judgement as JSON")
    command.add_argument("--title", help="title of the report page")
    return parser


if __name__ == "__main__":
    sys.exit(main())
