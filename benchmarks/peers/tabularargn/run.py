"""Fits MOSTLY AI's TabularARGN with default settings, as its README does, and draws rows.

`--preset 4`: with differential privacy at a total epsilon of 4: its default of 1 for value ranges
(half of the total where that is 1), the rest for training, which ends when that is spent.
"""

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
    private = None if request.preset is None else privacy(float(request.preset))
    watch = Stopwatch()
    with TabularARGN(random_state=request.seed, differential_privacy=private, **settings) as model:
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
        settings={**settings, "differential_privacy": private},
    )


def privacy(epsilon: float) -> dict[str, float]:
    """Its settings for a total epsilon; its own defaults for noise and clipping."""
    ranges = min(1.0, epsilon / 2)
    return {
        "max_epsilon": epsilon - ranges,
        "value_protection_epsilon": ranges,
        "delta": 1e-5,
    }


if __name__ == "__main__":
    main()
