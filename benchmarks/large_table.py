"""A Parquet table larger than the memory it is allowed: described, learned on a budget, judged.

    python benchmarks/large_table.py --source credit_default_taiwan.csv.gz --folder DIR
        [--gigabytes 5] [--fit-rows 50000] [--max-minutes 3]

Builds the table by resampling the rows of a real one and adding noise to its numbers, in files of
500,000 rows, unless the folder holds one already. Then one process of its own infers the schema of
all rows in one pass, draws the rows to learn from and as many to judge by (disjoint, evenly), fits
within the minutes, draws new rows, and judges them on samples and, by counts, against all rows; its
peak memory is the kernel's figure.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from llmsynth_eval.runner import judge
from llmsynth_eval.shards import judge_shards
from machine import describe

from llmsynth import Synthesizer, read_table
from llmsynth.schema import infer_schema
from llmsynth.tables import conform
from llmsynth.tables.parquet_shards import ParquetShards

_FILE_ROWS = 500_000
_NOISE = 0.1
_FEWEST_VALUES = 200
"""Columns with fewer distinct values are codes, and get no noise."""


def main() -> None:
    """Build the table where there is none, and measure a process that works on it."""
    options = _options()
    if options.work:
        _work(options)
        return
    folder = Path(options.folder)
    if not list(folder.glob("*.parquet")):
        _build(Path(options.source), folder, options.gigabytes * 1e9, options.seed)
    size = sum(path.stat().st_size for path in folder.glob("*.parquet"))
    print(json.dumps({**describe(), "gigabytes": round(size / 1e9, 2)}), flush=True)
    command = [sys.executable, __file__, "--work", *sys.argv[1:]]
    subprocess.run(command, check=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2
    print(f"peak memory {peak:.2f} GiB")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", help="A real table, as CSV.")
    parser.add_argument("--folder", required=True)
    parser.add_argument("--target", default="has_default")
    parser.add_argument("--gigabytes", type=float, default=5.0)
    parser.add_argument("--fit-rows", type=int, default=50_000)
    parser.add_argument("--judged-rows", type=int, default=20_000)
    parser.add_argument("--max-minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _build(source: Path, folder: Path, size: float, seed: int) -> None:
    table = read_table(source)
    table = conform(table, infer_schema(table))
    # Under its name only when it is whole: a build that was stopped is begun again.
    hidden = folder.with_name(f".{folder.name}.building")
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir(parents=True)
    draw = np.random.default_rng(seed)
    written, number = 0, 0
    while written < size:
        rows = table.take(pa.array(draw.integers(0, table.num_rows, _FILE_ROWS)))
        columns = [_noisy(column, draw) for column in rows.itercolumns()]
        first = number * _FILE_ROWS
        columns.append(pa.chunked_array([pa.array(np.arange(first + 1, first + _FILE_ROWS + 1))]))
        path = hidden / f"part-{number:05d}.parquet"
        noisy = pa.table(columns, names=[*rows.column_names, "row_id"])
        # Plain pages: five gigabytes on disk are five in memory, too.
        pq.write_table(
            noisy, path, compression="none", use_dictionary=False, row_group_size=100_000
        )
        written += path.stat().st_size
        number += 1
    hidden.replace(folder)


def _noisy(column: pa.ChunkedArray, draw: np.random.Generator) -> pa.ChunkedArray:
    values = column.combine_chunks()
    is_number = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    if not is_number or len(values.unique()) < _FEWEST_VALUES:
        return column
    numbers = np.asarray(values.cast(pa.float64()))
    noise = draw.normal(0, _NOISE, len(numbers))
    # A zero means that nothing was billed or paid, and stays one.
    return pa.chunked_array([pa.array(np.round(numbers * np.exp(noise), 2))])


def _work(options: argparse.Namespace) -> None:
    started = time.perf_counter()

    def tell(what: str, **facts: object) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        seconds = round(time.perf_counter() - started, 1)
        told = {"step": what, "seconds": seconds, "peak_gib": round(peak, 2), **facts}
        print(json.dumps(told), flush=True)

    shards = ParquetShards(options.folder)
    tell("opened", rows=shards.num_rows, files=len(shards.paths))
    schema = shards.schema(target=options.target)
    tell("schema", kinds=[column.kind for column in schema.columns])
    drawn = shards.sample(2 * options.fit_rows, seed=options.seed)
    order = np.random.default_rng(options.seed).permutation(drawn.num_rows)
    train, holdout = (drawn.take(pa.array(np.sort(part))) for part in np.split(order, 2))
    tell("sampled", rows=drawn.num_rows)
    synthesizer = Synthesizer(
        target=options.target, schema=schema, max_minutes=options.max_minutes, seed=options.seed
    )
    synthesizer.fit(
        train, sampled_from={"rows": shards.num_rows, "drawn": "evenly, without replacement"}
    )
    tell("fitted", epochs=synthesizer.training_.epochs)
    synthetic = synthesizer.sample(options.judged_rows, seed=options.seed).table
    tell("drew", rows=synthetic.num_rows)
    count = options.judged_rows
    judged = judge(
        train.slice(0, count).to_pandas(),
        synthetic.to_pandas(),
        holdout.slice(0, count).to_pandas(),
        target=options.target,
        schema=synthesizer.schema_,
        max_rows=10_000,
    )
    figures = {f.name: (f.value, f.floor) for f in judged.figures}
    tell("judged", figures=figures)
    whole = judge_shards(synthetic, shards, schema=synthesizer.schema_)
    tell("judged against all rows", rows=whole.num_rows, shape=whole.shape, trend=whole.trend)


if __name__ == "__main__":
    main()
