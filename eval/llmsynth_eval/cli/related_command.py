"""`related`: tables that belong together in, their judgement out."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from llmsynth.errors import SettingsError
from llmsynth.schema.metadata_set import MetadataSet
from llmsynth_eval.cli.table_files import read_table, write_text
from llmsynth_eval.related.evaluation import evaluate_related, evaluate_sequences
from llmsynth_eval.related.related_judgement import RelatedJudgement


def add_related(parser: argparse.ArgumentParser) -> None:
    """Describe the options of `related`."""
    for role, words, needed in (
        ("train", "what the synthesizer learned from", True),
        ("synthetic", "what it made", True),
        ("holdout", "what it never saw; without it there is no floor", False),
    ):
        parser.add_argument(
            f"--{role}",
            required=needed,
            type=Path,
            metavar="PATH",
            help=f"{words}: a folder of tables with --set, a CSV or Parquet file with --group-by",
        )
    parser.add_argument("--set", type=Path, metavar="FILE", help="tables and keys, JSON")
    parser.add_argument("--group-by", metavar="COL", help="column that names the group")
    parser.add_argument("--order-by", metavar="COL", help="column that orders a group's rows")
    parser.add_argument(
        "--static", nargs="*", default=[], metavar="COL", help="the same in all rows of a group"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the judgement as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Judge, print the figures, write what was asked for."""
    if (options.set is None) == (options.group_by is None):
        raise SettingsError(
            "Expected --set FILE for tables with keys, or --group-by COL for groups of rows."
        )
    found = _groups(options) if options.set is None else _set(options)
    print(found.to_text(), end="")
    if options.json is not None:
        write_text(found.to_json(), options.json, what="judgement")
    return 0


def _groups(options: argparse.Namespace) -> RelatedJudgement:
    return evaluate_sequences(
        read_table(options.train),
        read_table(options.synthetic),
        None if options.holdout is None else read_table(options.holdout),
        group_by=options.group_by,
        order_by=options.order_by,
        static=options.static,
        seed=options.seed,
    )


def _set(options: argparse.Namespace) -> RelatedJudgement:
    metadata = MetadataSet.read(options.set)
    return evaluate_related(
        metadata,
        _tables(options.train, metadata),
        _tables(options.synthetic, metadata),
        None if options.holdout is None else _tables(options.holdout, metadata),
        seed=options.seed,
    )


def _tables(folder: Path, metadata: MetadataSet) -> dict[str, pd.DataFrame]:
    """The tables in a folder, by the file names of the set; else `NAME.csv`."""
    out = {}
    for name, table in metadata.tables.items():
        named = folder / Path(table.file or "").name
        out[name] = read_table(named if table.file and named.is_file() else folder / f"{name}.csv")
    return out
