"""Fits ORiGAMi with its authors' published settings for a flat table (Adult), and draws rows.

The package's own defaults switch its numeric head off, so a number with many values is a list of
tokens; its authors' tabular experiments (origami-jsynth, `configs/adult.yaml`) switch it on, and
train 400 epochs. `--epochs` and `--max-minutes` shorten that; the learning rate decays to zero over
the epochs asked for.
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

PUBLISHED_EPOCHS = 400


class Deadline(TrainerCallback):
    """Ends the training after the first epoch past the limit, the way the trainer allows."""

    def __init__(self, minutes: float) -> None:
        super().__init__()
        self._end = monotonic() + 60 * minutes

    def on_epoch_end(self, trainer: object, state: object, payload: object) -> None:
        if monotonic() >= self._end:
            raise KeyboardInterrupt


def published_config(epochs: int) -> OrigamiConfig:
    """The authors' settings for Adult, with this many epochs."""
    return OrigamiConfig(
        data=DataConfig(cat_threshold=128, numeric_mode="scale", infer_schema=True),
        model=ModelConfig(d_model=64, n_heads=4, n_layers=8, d_ff=512),
        training=TrainingConfig(
            batch_size=128,
            learning_rate=1e-4,
            num_epochs=epochs,
            warmup_steps=1000,
            constrain_grammar=True,
            constrain_schema=True,
        ),
        inference=InferenceConfig(constrain_grammar=True, constrain_schema=True),
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
    epochs = request.epochs or PUBLISHED_EPOCHS
    callbacks = [] if request.max_minutes is None else [Deadline(request.max_minutes)]
    watch = Stopwatch()
    pipeline = OrigamiPipeline(published_config(epochs))
    with watch.stage("fit"):
        pipeline.fit(rows, callbacks=callbacks)
    with watch.stage("sample"):
        synthetic = pipeline.generate(
            request.rows, batch_size=1000, seed=request.seed, allow_complex_values=False
        )
    table = pd.DataFrame(synthetic, columns=columns).convert_dtypes()
    table.to_csv(request.out, index=False)
    write_timing(
        request.timing,
        watch,
        version=f"origami-ml {version('origami-ml')}",
        threads=torch.get_num_threads(),
        settings={"epochs": epochs, "max_minutes": request.max_minutes},
    )


if __name__ == "__main__":
    main()
