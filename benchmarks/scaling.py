"""How fit time grows with rows and with cells, at three sizes each.

    python benchmarks/scaling.py --table FILE [--threads 1] [--rows 4000 8000 16000]
        [--columns 10 20 40]

Rows: the first so many rows, at the default size and number of passes. Columns: the first so many
columns of as many rows. Processor seconds are quoted beside wall-clock seconds.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import pyarrow as pa
import torch
from machine import describe

from llmsynth import Synthesizer, read_table


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rows", type=int, nargs=3, default=[4000, 8000, 16000])
    parser.add_argument("--columns", type=int, nargs=3, default=[10, 20, 40])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    table = read_table(options.table)
    print(json.dumps(describe()))
    print("| rows | columns | passes | fit, processor s | fit, wall s | µs a cell and pass |")
    print("|---|---|---|---|---|---|")
    widest = min(options.columns[-1], table.num_columns)
    for rows in options.rows:
        _fit(table.slice(0, rows).select(range(min(widest, 15))))
    for columns in options.columns:
        _fit(table.slice(0, options.rows[1]).select(range(min(columns, table.num_columns))))


def _fit(table: pa.Table) -> None:
    synthesizer = Synthesizer(drop_text=True)
    started, wall = time.process_time(), time.perf_counter()
    synthesizer.fit(table)
    seconds, wall = time.process_time() - started, time.perf_counter() - wall
    passes = synthesizer.training_.epochs
    cells = table.num_rows * table.num_columns * passes
    print(
        f"| {table.num_rows:,} | {table.num_columns} | {passes} | {seconds:.1f} | {wall:.1f} "
        f"| {1e6 * seconds / cells:.1f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
