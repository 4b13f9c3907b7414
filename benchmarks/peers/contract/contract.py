"""What the harness asks of every system: the command line, the timing file, the CSV dialect.

Each `<system>/run.py` is a script of its own Python, so this needs the standard library only.
It is found through `PYTHONPATH=benchmarks/peers/contract`, which `benchmarks/tabular.py` sets.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, process_time

READ_CSV = {"keep_default_na": False, "na_values": [""]}
"""Keywords of `pandas.read_csv` that keep `None`, `NA` and `?` as data; only "" is missing."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One fit and one sample, as the harness asks for it."""

    train: Path
    """CSV file to learn from; an empty cell is missing."""
    rows: int
    """How many rows to draw."""
    out: Path
    """CSV file to write the rows to."""
    seed: int
    """Seed of the fit and of the sample."""
    target: str | None
    """The column that later models will predict; systems without such a setting ignore it."""
    timing: Path
    """JSON file for what was measured."""
    max_minutes: float | None
    """Limit on the fit in minutes; the system's own default when absent."""
    epochs: int | None
    """Passes over the table; the system's own default when absent."""
    preset: str | None
    """Name of a set of settings, for systems that have several."""
    dates: list[str]
    """Columns of ISO days, for systems that are told the types of their columns."""


def read_request(arguments: Sequence[str] | None = None) -> Request:
    """The request on the command line."""
    parser = argparse.ArgumentParser(description="Fit one synthesizer, draw rows, time both.")
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--target")
    parser.add_argument("--json", dest="timing", type=Path, required=True)
    parser.add_argument("--max-minutes", type=float)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--preset")
    parser.add_argument("--dates", nargs="*", default=[], metavar="COLUMN")
    return Request(**vars(parser.parse_args(arguments)))


@dataclass
class Stopwatch:
    """Seconds of each named stage, imports and file reading left out."""

    seconds: dict[str, float] = field(default_factory=dict)
    """Wall-clock seconds as `<stage>_s`; processor seconds of all threads as `<stage>_cpu_s`."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the body under `name`."""
        start, cpu_start = perf_counter(), process_time()
        yield
        self.seconds[f"{name}_s"] = perf_counter() - start
        self.seconds[f"{name}_cpu_s"] = process_time() - cpu_start


def write_timing(
    path: Path, watch: Stopwatch, *, version: str, threads: int, settings: Mapping[str, object]
) -> None:
    """Write the timing file: seconds of `fit` and `sample`, version, threads, settings."""
    record = {
        **watch.seconds,
        "version": version,
        "threads": threads,
        "settings": dict(settings),
    }
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
