"""Fits MOSTLY AI's TabularARGN with default settings, as its README does, and draws rows.

`--preset 4`: with differential privacy at a total epsilon of 4: its default of 1 for value ranges
(half of the total where that is 1), the rest for training. It would train at one noise whatever
epsilon is, until that is spent; here the noise is such that `PRIVATE_EPOCHS` spend it.
"""

from __future__ import annotations

from importlib.metadata import version

import pandas as pd
import torch
from contract import READ_CSV, Stopwatch, read_request, write_timing
from mostlyai.engine import TabularARGN
from mostlyai.engine.domain import DifferentialPrivacyConfig
from opacus.accountants.utils import get_noise_multiplier

DELTA = 1e-5
PRIVATE_EPOCHS = 12
"""At its own noise of 1.5, 31 epochs of half of Adult spent 2.8 and took over five processor
minutes."""
PRIVATE_BATCH = 128
TRAINED_ON = 0.9
"""Share of the rows that it does not hold out."""


def main() -> None:
    """Split, analyze, encode, train (all inside `fit`), then generate."""
    request = read_request()
    table = pd.read_csv(request.train, parse_dates=request.dates, **READ_CSV)
    settings: dict[str, float] = {}
    if request.max_minutes is not None:
        settings["max_training_time"] = request.max_minutes
    if request.epochs is not None:
        settings["max_epochs"] = float(request.epochs)
    private = None
    if request.preset is not None:
        private = privacy(float(request.preset), len(table))
        settings |= {"max_epochs": float(PRIVATE_EPOCHS), "batch_size": PRIVATE_BATCH}
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
        settings={**settings, "differential_privacy": private and private.model_dump()},
    )


def privacy(epsilon: float, rows: int) -> DifferentialPrivacyConfig:
    """Settings that spend a total epsilon in the epochs above, by its own accountant."""
    ranges = min(1.0, epsilon / 2)
    noise = get_noise_multiplier(
        target_epsilon=epsilon - ranges,
        target_delta=DELTA,
        sample_rate=PRIVATE_BATCH / (TRAINED_ON * rows),
        epochs=PRIVATE_EPOCHS + 1,
        accountant="rdp",
    )
    return DifferentialPrivacyConfig(
        max_epsilon=epsilon, value_protection_epsilon=ranges, noise_multiplier=noise, delta=DELTA
    )


if __name__ == "__main__":
    main()
