"""What per-unit clipping costs: processor seconds of an epoch, private beside plain, equal batch.

    python benchmarks/private_overhead.py

Rows of the demo table Adult, one thread. A plain step is forward, backward and one optimizer step;
a private one is forward, backward, norms, clipped sums, secure noise and one optimizer step. Per
-sample gradients by autograd, a row at a time, are timed on a few rows for comparison.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

import machine
import numpy as np
import torch

from llmsynth.codec.row_language import RowLanguage
from llmsynth.demo_tables import path
from llmsynth.models.compact import CompactShape
from llmsynth.models.curves import CurvedModel
from llmsynth.privacy.noise_source import NoiseSource
from llmsynth.privacy.unit_sampler import every_row
from llmsynth.schema.inference import infer_schema
from llmsynth.synthesizers.curve_choice import curves
from llmsynth.synthesizers.preparation import usual_order
from llmsynth.tables import read_table
from llmsynth.tables.conforming import conform
from llmsynth.training.loss import place_losses
from llmsynth.training.optimizers import Optimizers
from llmsynth.training.private_gradients import CompactUnitGradients
from llmsynth.training.private_loop import PrivateTrainer, PrivateTrainingSettings
from llmsynth.training.sequences import Shuffler
from llmsynth.training.settings import TrainingSettings

ROWS, BATCH = 8192, 1024
SHAPES = ((64, 2), (128, 4))
DTYPES = (torch.float32, torch.bfloat16)


def main() -> None:
    """Print one line a shape and number format."""
    torch.set_num_threads(1)
    table = read_table(path("adult"))
    schema = infer_schema(table, target="income")
    language = RowLanguage(schema)
    codes = torch.from_numpy(language.encode(conform(table, schema))[:ROWS]).long()
    print(machine.describe(), f"{ROWS} rows, batches of {BATCH}")
    for hidden, layers in SHAPES:
        for dtype in DTYPES:
            model, shuffler = built(language, codes, hidden, layers)
            plain = seconds(lambda m=model, s=shuffler, d=dtype: plain_epoch(m, s, codes, d))
            private = seconds(lambda m=model, s=shuffler, d=dtype: private_epoch(m, s, codes, d))
            single = seconds(lambda m=model, s=shuffler: row_by_row(m, s, codes[:64])) * ROWS / 64
            print(
                f"hidden {hidden}, layers {layers}, {dtype}: plain {plain:.2f} s, private "
                f"{private:.2f} s ({private / plain:.2f} times), row by row about {single:.0f} s; "
                f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB",
                flush=True,
            )


def built(
    language: RowLanguage, codes: torch.Tensor, hidden: int, layers: int
) -> tuple[CurvedModel, Shuffler]:
    """A fresh model and its shuffler."""
    sizes = tuple(int(size) for size in language.place_sizes)
    shape = CompactShape(
        hidden_size=hidden,
        num_layers=layers,
        num_heads=2,
        intermediate_size=2 * hidden,
        place_sizes=sizes,
    )
    shuffler = Shuffler(
        sizes,
        torch.from_numpy(language.place_columns),
        shape.begin_token,
        usual_order=torch.tensor(usual_order(language, "income")),
        none_given_share=0.5,
    )
    return CurvedModel(shape, *curves(language, codes)), shuffler


def seconds(work: Callable[[], None]) -> float:
    """Processor seconds of the second call."""
    work()
    start = time.process_time()
    work()
    return time.process_time() - start


def plain_epoch(
    model: CurvedModel, shuffler: Shuffler, codes: torch.Tensor, dtype: torch.dtype
) -> None:
    """Every row once, without privacy."""
    optimizers = Optimizers(model, TrainingSettings())
    generator = torch.Generator().manual_seed(1)
    for batch in codes.split(BATCH):
        for part in batch.split(256):
            losses = place_losses(model, shuffler(part, generator), part, dtype=dtype)
            (torch.stack(losses).sum() / BATCH).backward()
        optimizers.step(1.0)


def private_epoch(
    model: CurvedModel, shuffler: Shuffler, codes: torch.Tensor, dtype: torch.dtype
) -> None:
    """As many rows in Poisson samples, clipped and noised."""
    weights = torch.ones(codes.shape[1])
    gradients = CompactUnitGradients(model, shuffler, weights, seed=1, dtype=dtype)
    settings = PrivateTrainingSettings(
        steps=ROWS // BATCH, expected_units=BATCH, noise_multiplier=1.0
    )
    PrivateTrainer(
        gradients,
        codes,
        every_row(ROWS),
        sampling_rate=BATCH / ROWS,
        settings=settings,
        source=NoiseSource(),
    ).run()


def row_by_row(model: CurvedModel, shuffler: Shuffler, codes: torch.Tensor) -> None:
    """Each row's gradient and its norm by autograd."""
    generator = torch.Generator().manual_seed(1)
    norms = []
    for row in range(len(codes)):
        one = codes[row : row + 1]
        losses = place_losses(model, shuffler(one, generator), one, dtype=torch.float32)
        model.zero_grad()
        torch.stack(losses).sum().backward()
        parts = [w.grad.square().sum() for w in model.parameters() if w.grad is not None]
        norms.append(float(torch.stack(parts).sum()))
    assert np.isfinite(norms).all()


if __name__ == "__main__":
    main()
