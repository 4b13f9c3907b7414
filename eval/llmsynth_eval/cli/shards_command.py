"""`shards`: the errors of a table that need not fit into memory, and its DCR share."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict

from llmsynth.schema.table_schema import TableSchema
from llmsynth.tables.parquet_shards import ParquetShards
from llmsynth_eval.cli.table_files import read_table, write_text
from llmsynth_eval.figure import Interval
from llmsynth_eval.shards.shard_judge import OnRay, judge_shards
from llmsynth_eval.shards.sum_figures import SumFigures

_SHOWN = 5


def add_shards(parser: argparse.ArgumentParser) -> None:
    """Describe the options of `shards`."""
    parser.add_argument("--train", required=True, metavar="FILE", help="the reference, in memory")
    parser.add_argument(
        "--synthetic", required=True, metavar="PATH", help="a folder or address of Parquet files"
    )
    parser.add_argument("--holdout", metavar="FILE", help="real rows never seen: the floor")
    parser.add_argument("--schema", metavar="FILE", help="schema.json that names the kinds")
    parser.add_argument("--intervals", action="store_true", help="count 20 resamples, too")
    parser.add_argument(
        "--neighbours", action="store_true", help="DCR share of every row; needs --holdout"
    )
    parser.add_argument(
        "--max-references", type=int, metavar="ROWS", help="of train and holdout for --neighbours"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--on", choices=("here", "ray"), default="here", help="where to count")
    parser.add_argument("--ray-address", help="of a running Ray cluster")
    parser.add_argument("--json", metavar="FILE", help="write all figures as JSON")
    parser.set_defaults(run=run_shards)


def run_shards(options: argparse.Namespace) -> int:
    """Count, print, write; 0."""
    found = judge_shards(
        read_table(options.train),
        ParquetShards(options.synthetic),
        holdout=read_table(options.holdout) if options.holdout else None,
        schema=TableSchema.read(options.schema) if options.schema else None,
        intervals=options.intervals,
        neighbours=options.neighbours,
        max_references=options.max_references,
        seed=options.seed,
        ray=OnRay(address=options.ray_address) if options.on == "ray" else None,
    )
    print(_words(found), end="")
    if options.json:
        write_text(json.dumps(_facts(found), indent=2) + "\n", options.json, what="figures")
    return 0


def _facts(found: SumFigures) -> dict[str, object]:
    return {
        **asdict(found),
        "pairs": [[*pair, error] for pair, error in found.pairs.items()],
        "moments": {
            name: [None if math.isnan(number) else number for number in pair]
            for name, pair in found.moments.items()
        },
        "floor": None if found.floor is None else _facts(found.floor),
    }


def _words(found: SumFigures) -> str:
    floor = found.floor
    floors = (None,) * 3 if floor is None else (floor.shape, floor.trend, floor.pearson)
    lines = [f"{found.num_rows:,} rows"]
    lines += _line("Shape error", found.shape, found.shape_interval, floors[0])
    lines += _line("Trend error", found.trend, found.trend_interval, floors[1])
    lines += _line("Pearson difference", found.pearson, None, floors[2])
    if found.dcr_share is not None:
        lines += _line("DCR share", found.dcr_share.value, found.dcr_share.interval, 0.5)
    worst = sorted(found.columns.items(), key=lambda item: -item[1])[:_SHOWN]
    lines += ["Farthest columns:", *(f"  {name} {error:.4f}" for name, error in worst)]
    return "\n".join(lines) + "\n"


def _line(
    title: str, value: float | None, interval: Interval | None, floor: float | None
) -> list[str]:
    if value is None:
        return []
    words = f"{title} {value:.4f}"
    if interval is not None:
        words += f" ({interval[0]:.4f} to {interval[1]:.4f})"
    return [words if floor is None else f"{words}, floor {floor:.4f}"]
