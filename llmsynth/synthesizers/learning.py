"""Fits the compact model to prepared rows: size, precision, target emphasis, training."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from llmsynth.errors import SettingsError
from llmsynth.models.compact import CompactModel, CompactShape
from llmsynth.models.curves import CurvedModel, rank_waves
from llmsynth.models.sizes import Size, choose_size
from llmsynth.progress import Progress
from llmsynth.synthesizers.preparation import Prepared, usual_order
from llmsynth.training.loop import Trainer, TrainingReport
from llmsynth.training.sequences import Shuffler
from llmsynth.training.settings import TrainingSettings

_FEWEST_CURVED_TOKENS = 6
NONE_GIVEN_SHARE = 0.5
"""Share of training rows in which no column is given; see `training.sequences.Shuffler`."""


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """Sizes a user may set instead of the chosen ones; None keeps the choice."""

    hidden_size: int | None = None
    num_layers: int | None = None
    batch_rows: int | None = None
    max_epochs: float | None = None
    max_minutes: float | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None and not value > 0:
                raise SettingsError(f"{name} must be above 0, got {value}.")


def sampling_precision() -> torch.dtype:
    """bfloat16 where the CPU multiplies it natively, else float32."""
    flags = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    native = flags.get("avx512_bf16") or flags.get("amx_bf16") or flags.get("arm_bf16")
    return torch.bfloat16 if native else torch.float32


def learn(
    prepared: Prepared,
    *,
    target: str | None,
    seed: int,
    overrides: Overrides,
    folder: Path | None,
    progress: Progress,
) -> tuple[CompactModel, TrainingReport]:
    """Train a compact model on prepared rows; the same seed and data give the same weights.

    A `max_minutes` budget makes the number of steps, and so the weights, depend on the machine.
    """
    torch.set_flush_denormal(True)
    codes = torch.from_numpy(prepared.learned).long()
    size = _size(prepared, codes, overrides)
    settings = TrainingSettings(
        max_epochs=size.epochs,
        max_minutes=overrides.max_minutes,
        batch_rows=size.batch_rows,
        seed=seed,
    )
    torch.manual_seed(seed)
    model = CurvedModel(size.shape, _waves(prepared, codes))
    model.start_at_marginals(_log_marginals(codes, size.shape.place_sizes))
    columns = torch.from_numpy(prepared.language.place_columns)
    order = usual_order(prepared.language, target)
    shuffler = Shuffler(
        size.shape.place_sizes,
        columns,
        size.shape.begin_token,
        usual_order=torch.tensor(order),
        none_given_share=NONE_GIVEN_SHARE,
    )
    trainer = Trainer(
        model=model,
        codes=codes,
        shuffler=shuffler,
        weights=torch.ones(len(columns)),
        settings=settings,
        folder=folder,
        fingerprint=_fingerprint(prepared, settings, size.shape, target),
        progress=progress,
        dtype=sampling_precision(),
    )
    report = trainer.run()
    return model.folded(), report


def _size(prepared: Prepared, codes: torch.Tensor, overrides: Overrides) -> Size:
    place_sizes = tuple(int(k) for k in prepared.language.place_sizes)
    positions = float((codes >= 0).sum() / max(len(codes), 1))
    size = choose_size(len(codes), place_sizes, positions)
    hidden = overrides.hidden_size or size.shape.hidden_size
    shape = replace(
        size.shape,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_heads=_num_heads(hidden) if overrides.hidden_size else size.shape.num_heads,
        num_layers=overrides.num_layers or size.shape.num_layers,
    )
    return Size(
        shape=shape,
        batch_rows=overrides.batch_rows or size.batch_rows,
        epochs=overrides.max_epochs or size.epochs,
    )


def _num_heads(hidden: int) -> int:
    """One head for each 64 of the width, or the next smaller number that divides it."""
    return next(heads for heads in range(max(hidden // 64, 1), 0, -1) if hidden % heads == 0)


def _waves(prepared: Prepared, codes: torch.Tensor) -> dict[int, torch.Tensor]:
    """Curves for every place whose tokens lie on the number line and are not a mere few."""
    out = {}
    for column, code in enumerate(prepared.language.codes):
        for index, place in enumerate(prepared.language.places(column)):
            values = code.token_values(index)
            if values is not None and len(values) > _FEWEST_CURVED_TOKENS:
                used = codes[:, place][codes[:, place] >= 0]
                counts = torch.bincount(used, minlength=len(values)).double().numpy()
                out[place] = rank_waves(values, counts)
    return out


def _log_marginals(codes: torch.Tensor, place_sizes: tuple[int, ...]) -> list[torch.Tensor]:
    """Log shares of each place's tokens in the rows that use it, smoothed by a tenth of a row."""
    out = []
    for place, size in enumerate(place_sizes):
        used = codes[:, place][codes[:, place] >= 0]
        counts = torch.bincount(used, minlength=size).float() + 0.1
        out.append((counts / counts.sum()).log())
    return out


def _fingerprint(
    prepared: Prepared, settings: TrainingSettings, shape: CompactShape, target: str | None
) -> str:
    facts = {
        "data": prepared.data_hash,
        "schema": prepared.language.schema.to_json(),
        # What is left of a time budget differs from run to run, and bounds the same training.
        "settings": asdict(replace(settings, max_minutes=None)),
        "shape": asdict(shape),
        "target": target,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
