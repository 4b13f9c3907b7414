"""`judge`: three files in, the quick judgement out."""

from __future__ import annotations

import argparse
from pathlib import Path

from llmsynth.schema.table_schema import TableSchema
from llmsynth_eval.cli.table_files import read_table, write_text
from llmsynth_eval.pages.page import write_page
from llmsynth_eval.runner import judge


def add_judge(parser: argparse.ArgumentParser) -> None:
    """Describe the options of `judge`."""
    for role, words in (
        ("train", "rows the synthesizer learned from"),
        ("synthetic", "rows it made"),
        ("holdout", "real rows it never saw"),
    ):
        parser.add_argument(f"--{role}", required=True, metavar="FILE", help=words)
    parser.add_argument("--target", help="column to predict for TSTR and TRTR")
    parser.add_argument("--numeric", nargs="+", metavar="COLUMN", help="the numeric columns")
    parser.add_argument("--schema", metavar="FILE", help="schema.json that names the kinds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-rows", type=int, help="most rows for C2ST, TSTR and DCR share")
    parser.add_argument("--no-floor", dest="floor", action="store_false")
    parser.add_argument("--out", metavar="FILE", help="write the report page (HTML)")
    parser.add_argument("--json", metavar="FILE", help="write the judgement as JSON")
    parser.add_argument("--title", help="title of the report page")
    parser.set_defaults(run=run_judge)


def run_judge(options: argparse.Namespace) -> int:
    """Judge, print, write; 0."""
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
        write_text(judgement.to_json(), options.json, what="judgement")
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
    return 0
