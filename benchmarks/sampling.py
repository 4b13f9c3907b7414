"""Sampling speed, memory and the cost of the grammar, on the packaged Adult table.

    python benchmarks/sampling.py [--rows 1000000] [--threads 2]

Fits half of Adult for a few passes (speed does not depend on quality), then draws tables of growing
size to Parquet, each in a process of its own, and times blocks with and without masks in turn.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from machine import describe

from llmsynth import Synthesizer, demo_tables
from llmsynth.engines.compact_sampler import CompactSampler
from llmsynth.generation.generator import SamplingSettings
from llmsynth.models.precision import fastest_dtype
from llmsynth.tables import TableWriter


def main() -> None:
    """Run the benchmark and print its tables."""
    options = _options()
    torch.set_num_threads(options.threads)
    if options.draw:
        _draw(Path(options.draw), options.rows)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = demo_tables.load("adult").slice(0, 16_281)
        synthesizer = Synthesizer(target="income", missing=("?",), max_epochs=options.epochs)
        synthesizer.fit(_as_file(table, folder / "adult.csv")).save(folder / "bundle")
        print(json.dumps(describe()))
        print("| rows | rows a second | peak memory, MiB |\n|---|---|---|")
        for rows in (10_000, 100_000, options.rows):
            command = [sys.executable, __file__, "--draw", str(folder / "bundle")]
            command += ["--rows", str(rows), "--threads", str(options.threads)]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            print(out.strip().splitlines()[-1], flush=True)
        _masking(synthesizer)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--draw", help=argparse.SUPPRESS)
    return parser.parse_args()


def _as_file(table: object, path: Path) -> Path:
    with TableWriter(path) as writer:
        writer.write(table)
    return path


def _draw(bundle: Path, rows: int) -> None:
    synthesizer = Synthesizer.load(bundle)
    started = time.perf_counter()
    run, chunks = synthesizer.iter_sample(rows, settings=SamplingSettings(seed=1))
    with TableWriter(bundle.parent / f"{rows}.parquet", schema=synthesizer.schema_) as writer:
        for chunk in chunks:
            writer.write(chunk)
    seconds = time.perf_counter() - started
    assert run.report.rows == rows
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {rows:,} | {rows / seconds:,.0f} | {peak:,.0f} |")


def _masking(synthesizer: Synthesizer) -> None:
    """Median seconds of a block with and without the grammar, drawn in turn."""
    samplers = {
        name: CompactSampler(
            synthesizer.learner_.model,
            synthesizer.learner_.language,
            flat_places=synthesizer.learner_.flat,
            dtype=fastest_dtype(),
            masked=name == "masked",
        )
        for name in ("unmasked", "masked")
    }
    rows = torch.arange(samplers["masked"].block_rows)
    seconds: dict[str, list[float]] = {name: [] for name in samplers}
    for round_number in range(8):
        for name, sampler in samplers.items():
            started = time.perf_counter()
            sampler.draw(rows, synthesizer.learner_.order, seed=round_number)
            seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    ratio = medians["masked"] / medians["unmasked"]
    print(f"\nmasked / unmasked seconds a block: {ratio:.3f} (medians of 7, {medians})")


if __name__ == "__main__":
    main()
