"""Fits MOSTLY AI's TabularARGN with default settings, as its README does, and draws rows."""

from __future__ import annotations

from importlib.metadata import version

import pandas as pd
import torch
from contract import READ_CSV, Stopwatch, read_request, write_timing
from mostlyai.engine import TabularARGN


def main() -> None:
    """Split, analyze, encode, train (all inside `fit`), then generate."""
    request = read_request()
    table = pd.read_csv(request.train, parse_dates=request.dates, **READ_CSV)
    settings: dict[str, float] = {}
    if request.max_minutes is not None:
        settings["max_training_time"] = request.max_minutes
    if request.epochs is not None:
        settings["max_epochs"] = float(request.epochs)
    watch = Stopwatch()
    with TabularARGN(random_state=request.seed, **settings) as model:
        with watch.stage("fit"):
            model.fit(table)
        with watch.stage("sample"):
            synthetic = model.sample(n_samples=request.rows)
    synthetic.to_csv(request.out, index=False)
    write_timing(
        request.timing,
        watch,
        version=f"mostlyai-engine {version('mostlyai-engine')}",
        threads=torch.get_num_threads(),
        settings=settings,
    )


if __name__ == "__main__":
    main()
