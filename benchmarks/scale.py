"""Rows a second of the sharded writer: in one process, and on Ray with one and two workers.

    python benchmarks/scale.py --results scale.jsonl [--rows 1000000] [--bundle DIR] [--repeats 3]

Fits half of Adult for a pass (or takes --bundle), then draws the same table in each way, in turn,
in a process of its own with one thread a worker. A rate counts from the first finished shard to the
last, so that loading the model and starting Ray stay out of it; whole wall-clock seconds stand
beside it. All ways must leave the same bytes. A run that is in the results file is not repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import describe

from llmsynth import RaySettings, Synthesizer, demo_tables, sample_shards
from llmsynth.generation.generator import SamplingSettings
from llmsynth.progress import Step

_WAYS = {"one process": 0, "Ray, 1 worker": 1, "Ray, 2 workers": 2}


def main() -> None:
    """Run what is missing and print the table."""
    options = _options()
    if options.draw:
        print(json.dumps(_drawn(Path(options.draw), options.rows, options.workers)))
        return
    results = Path(options.results)
    done = _read(results)
    with tempfile.TemporaryDirectory() as scratch:
        bundle = Path(options.bundle) if options.bundle else _fitted(Path(scratch, "bundle"))
        for turn in range(options.repeats):
            for way, workers in _WAYS.items():
                key = {"way": way, "turn": turn, "rows": options.rows}
                if any(key.items() <= run.items() for run in done):
                    continue
                run = {**key, **describe(), **_run(bundle, options.rows, workers)}
                done.append(run)
                with results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(run) + "\n")
    _print([run for run in done if run["rows"] == options.rows])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", default="scale.jsonl")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--bundle", help="A saved synthesizer to draw from.")
    parser.add_argument("--draw", help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def _read(results: Path) -> list[dict[str, object]]:
    if not results.exists():
        return []
    return [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]


def _fitted(folder: Path) -> Path:
    table = demo_tables.load("adult").slice(0, 16_281)
    return Synthesizer(target="income", missing=("?",), max_epochs=1).fit(table).save(folder)


def _run(bundle: Path, rows: int, workers: int) -> dict[str, object]:
    command = [sys.executable, __file__, "--draw", str(bundle), "--rows", str(rows)]
    command += ["--workers", str(workers)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    facts: dict[str, object] = json.loads(out.stdout.strip().splitlines()[-1])
    return facts


def _drawn(bundle: Path, rows: int, workers: int) -> dict[str, object]:
    seen: list[tuple[float, float]] = []

    def note(step: Step) -> None:
        seen.append((time.perf_counter(), step.done))

    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as out:
        report = sample_shards(
            bundle,
            rows,
            out,
            settings=SamplingSettings(seed=1),
            ray=RaySettings(workers=workers) if workers else None,
            progress=note,
        )
        manifest = json.loads(Path(out, "_manifest.json").read_text(encoding="utf-8"))
    assert report.rows == rows
    shards = [moment for moment in seen if moment[1] > 0]
    (first, before), (last, after) = shards[0], shards[-1]
    return {
        "rows_a_second": (after - before) / (last - first),
        "wall_seconds": time.perf_counter() - started,
        "first_shard_seconds": first - started,
        "shards": len(manifest["shards"]),
        "hashes": [shard["sha256"] for shard in manifest["shards"]],
    }


def _print(runs: list[dict[str, object]]) -> None:
    assert len({json.dumps(run["hashes"]) for run in runs}) == 1, "the tables differ"
    rates = {
        way: [float(str(run["rows_a_second"])) for run in runs if run["way"] == way]
        for way in _WAYS
    }
    alone, one, _ = (statistics.median(rates[way]) for way in _WAYS)
    print(f"{runs[0]['rows']:,} rows, {runs[0]['shards']} shards, {runs[0]['cpu']}\n")
    print("| way | rows a second, median (range) | to one process | to one worker |")
    print("|---|---|---|---|")
    for way, found in rates.items():
        middle, ends = statistics.median(found), f"{min(found):,.0f} to {max(found):,.0f}"
        print(f"| {way} | {middle:,.0f} ({ends}) | {middle / alone:.2f} | {middle / one:.2f} |")


if __name__ == "__main__":
    main()
