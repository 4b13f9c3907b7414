"""Fits ORiGAMi and draws rows: its package's defaults, or its authors' published settings.

Without a preset: the defaults of the package and the 20 epochs of its README, with the README's
numeric head and a schema from the data, without which numbers of many values are lists of tokens.
`--preset published`: the settings of the authors' Adult experiment (origami-jsynth,
`configs/adult.yaml`), 400 epochs. The learning rate decays to zero over the epochs asked for.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from time import monotonic

import pandas as pd
import torch
from contract import READ_CSV, Request, Stopwatch, read_request, write_timing
from origami import (
    DataConfig,
    InferenceConfig,
    ModelConfig,
    OrigamiConfig,
    OrigamiPipeline,
    TrainingConfig,
)
from origami.training.callbacks import TrainerCallback

EPOCHS = {None: 20, "published": 400}


class Deadline(TrainerCallback):
    """Ends the training after the first epoch past the limit, the way the trainer allows."""

    def __init__(self, minutes: float) -> None:
        super().__init__()
        self._end = monotonic() + 60 * minutes

    def on_epoch_end(self, trainer: object, state: object, payload: object) -> None:
        if monotonic() >= self._end:
            raise KeyboardInterrupt


def config_of(request: Request, epochs: int) -> OrigamiConfig:
    """The settings of the request's preset, with this many epochs."""
    inference = InferenceConfig(constrain_schema=True)
    if request.preset is None:
        return OrigamiConfig(
            data=DataConfig(numeric_mode="scale", infer_schema=True),
            training=TrainingConfig(num_epochs=epochs),
            inference=inference,
            device="cpu",
        )
    return OrigamiConfig(
        data=DataConfig(cat_threshold=128, numeric_mode="scale", infer_schema=True),
        model=ModelConfig(d_model=64, n_heads=4, n_layers=8, d_ff=512),
        training=TrainingConfig(
            batch_size=128,
            learning_rate=1e-4,
            num_epochs=epochs,
            warmup_steps=1000,
            constrain_schema=True,
        ),
        inference=inference,
        device="cpu",
    )


def read_rows(request: Request) -> tuple[list[str], list[dict[str, object]]]:
    """Column names, and one object a row; a missing cell is null.

    Whole numbers beside missing cells are read as Int64, so that they do not become floats.
    """
    table = pd.read_csv(request.train, **READ_CSV).convert_dtypes()
    text = table.to_json(orient="records", double_precision=15)
    return list(table.columns), json.loads(text)


def main() -> None:
    """Fit the pipeline, then generate."""
    request = read_request()
    torch.manual_seed(request.seed)
    columns, rows = read_rows(request)
    if request.preset not in EPOCHS:
        raise SystemExit(f"Expected --preset published or none, got {request.preset!r}.")
    epochs = request.epochs or EPOCHS[request.preset]
    callbacks = [] if request.max_minutes is None else [Deadline(request.max_minutes)]
    watch = Stopwatch()
    pipeline = OrigamiPipeline(config_of(request, epochs))
    with watch.stage("fit"):
        pipeline.fit(rows, callbacks=callbacks)
    with watch.stage("sample"):
        synthetic = pipeline.generate(request.rows, seed=request.seed, allow_complex_values=False)
    table = pd.DataFrame(synthetic, columns=columns).convert_dtypes()
    table.to_csv(request.out, index=False)
    write_timing(
        request.timing,
        watch,
        version=f"origami-ml {version('origami-ml')}",
        threads=torch.get_num_threads(),
        settings={"epochs": epochs, "preset": request.preset, "max_minutes": request.max_minutes},
    )


if __name__ == "__main__":
    main()
