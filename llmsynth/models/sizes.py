"""How large a compact model a table of given size asks for, and how long to train it."""

from __future__ import annotations

from dataclasses import dataclass

from llmsynth.models.compact import CompactShape

_MANY_ROWS = 8000
_EPOCHS = 7.0
_WEIGHT_DECAY, _WEIGHT_DECAY_OF_FEW_ROWS = 0.3, 0.01
_FEWEST_STEPS = 200
_POSITIONS_PER_STEP = 8192
"""Most positions of one optimizer step; wide tables take fewer rows, to bound memory."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """A model's shape and the training that fits it."""

    shape: CompactShape
    batch_rows: int
    epochs: float
    weight_decay: float


def choose_size(
    num_rows: int,
    place_sizes: tuple[int, ...],
    positions: float,
    place_owners: tuple[int, ...] = (),
) -> Size:
    """The default size for a table.

    Measured on 1,900 to 20,000 rows of 10 to 50 columns (benchmarks/RESULTS.md, "What was tried"):
    more rows carry a wider model and stand some weight decay. Held-out loss stops falling after six
    to eight passes, and an eighth brings the rows nearer to the learned ones than to unseen ones
    without serving better. The number of passes is constant, so fit time grows linearly.

    Args:
        positions: mean number of modelled tokens a row has.
        place_owners: see `CompactShape`.
    """
    hidden = 64 if num_rows < 500 else 96 if num_rows < 4000 else 128 if num_rows < 60000 else 192
    shape = CompactShape(
        hidden_size=hidden,
        num_layers=4,
        num_heads=hidden // 32 if hidden < 128 else hidden // 64,
        intermediate_size=2 * hidden,
        place_sizes=place_sizes,
        place_owners=place_owners,
    )
    batch = 256 if num_rows >= 8000 else 128 if num_rows >= 3000 else 64
    batch = min(batch, max(16, num_rows // 8))
    while batch > 16 and batch * positions > _POSITIONS_PER_STEP:
        batch //= 2
    is_small = num_rows < _MANY_ROWS
    return Size(
        shape=shape,
        batch_rows=batch,
        epochs=max(_EPOCHS, _FEWEST_STEPS * min(batch, num_rows) / max(num_rows, 1)),
        weight_decay=_WEIGHT_DECAY_OF_FEW_ROWS if is_small else _WEIGHT_DECAY,
    )
