"""`shards`: shape and trend errors of a table that need not fit into memory."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.parquet_shards import ParquetShards
from llmsynth_eval.cli.table_files import read_table, write_text
from llmsynth_eval.shards.shard_judge import OnRay, judge_shards
from llmsynth_eval.shards.sum_figures import SumFigures

_SHOWN = 5


def add_shards(parser: argparse.ArgumentParser) -> None:
    """Describe the options of `shards`."""
    parser.add_argument("--train", required=True, metavar="FILE", help="the reference, in memory")
    parser.add_argument(
        "--synthetic", required=True, metavar="PATH", help="a folder or address of Parquet files"
    )
    parser.add_argument("--schema", metavar="FILE", help="schema.json that names the kinds")
    parser.add_argument("--on", choices=("here", "ray"), default="here", help="where to count")
    parser.add_argument("--ray-address", help="of a running Ray cluster")
    parser.add_argument("--json", metavar="FILE", help="write all figures as JSON")
    parser.set_defaults(run=run_shards)


def run_shards(options: argparse.Namespace) -> int:
    """Count, print, write; 0."""
    found = judge_shards(
        read_table(options.train),
        ParquetShards(options.synthetic),
        schema=TableSchema.read(options.schema) if options.schema else None,
        ray=OnRay(address=options.ray_address) if options.on == "ray" else None,
    )
    print(_words(found), end="")
    if options.json:
        pairs = [[*pair, error] for pair, error in found.pairs.items()]
        facts = {**asdict(found), "pairs": pairs}
        write_text(json.dumps(facts, indent=2) + "\n", options.json, what="figures")
    return 0


def _words(found: SumFigures) -> str:
    lines = [f"{found.num_rows:,} rows", f"Shape error {found.shape:.4f}"]
    if found.trend is not None:
        lines.append(f"Trend error {found.trend:.4f}")
    worst = sorted(found.columns.items(), key=lambda item: -item[1])[:_SHOWN]
    lines += ["Farthest columns:", *(f"  {name} {error:.4f}" for name, error in worst)]
    return "\n".join(lines) + "\n"
