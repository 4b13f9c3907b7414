"""Fits the compact model to prepared rows: size, precision, target emphasis, training."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from llmsynth.errors import SettingsError
from llmsynth.models.compact import CompactModel, CompactShape
from llmsynth.models.curves import CurvedModel
from llmsynth.models.precision import fastest_dtype
from llmsynth.models.sizes import Size, choose_size
from llmsynth.progress import Progress
from llmsynth.synthesizers.curve_choice import curves, log_marginals
from llmsynth.synthesizers.lessons import target_place
from llmsynth.synthesizers.preparation import Prepared, usual_order
from llmsynth.synthesizers.target_teaching import TargetTask, teach_target
from llmsynth.training.compact_run import CompactRun
from llmsynth.training.launching import Launcher, launch, run_place
from llmsynth.training.loop import TrainingReport
from llmsynth.training.report_file import NAME, read_report
from llmsynth.training.sequences import GIVEN_POWER
from llmsynth.training.settings import TrainingSettings

_TARGET_WEIGHT = 4.0
"""What the target's tokens count in the loss. On half of Adult a weight of 4 raised TSTR AUC from
.916 to .9185 and brought trend from below the real-real floor to beside it."""
_TARGET_SHARE = 0.25
"""Share of a time budget that is kept for teaching the target and its shares."""
NONE_GIVEN_SHARE = 0.2
"""Share of training rows in which no column is given (see `training.sequences.Shuffler`). With
half, and weight decay 2, columns under two or five conditions lay .05 farther (total variation)
from real rows than real rows do, on Adult; with a fifth and .3, .01 (benchmarks/conditions.py)."""
_NONE_GIVEN_SHARE_IN_CONTEXT = 0.7
"""The same where context is given anyway: what is drawn under it is mostly drawn whole."""
_GIVEN_POWER_TO_FILL = 1.0
"""In all rows of a fit that is to fill gaps (see `Shuffler`). On 1,500 rows of california_housing,
drawn and true cells then have a rank correlation of .61 in place of .39; 1 less the square of a
uniform number gave .58, .7 to 1 .55."""


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


@contextmanager
def own_torch_state() -> Iterator[None]:
    """Let training have its seeds and its fast arithmetic, and the caller none of either.

    The global random generator comes back as it was. Numbers too small for full precision count
    as zero meanwhile, which saves much time; left on, it would change what the process computes.
    """
    with torch.random.fork_rng(devices=[]):
        torch.set_flush_denormal(True)
        try:
            yield
        finally:
            torch.set_flush_denormal(False)


def learn(
    prepared: Prepared,
    *,
    target: str | None,
    seed: int,
    overrides: Overrides,
    folder: Path | None,
    progress: Progress,
    processes: int = 1,
    launcher: Launcher | None = None,
) -> tuple[CompactModel, TrainingReport]:
    """Train a compact model on prepared rows; the same seed and data give the same weights.

    Several processes share out every batch; sums are then rounded otherwise, so weights differ in
    their last digits. The target is taught by this process alone.

    A `max_minutes` budget makes the number of steps, and so the weights, depend on the machine.
    """
    started = time.perf_counter()
    codes = torch.from_numpy(prepared.learned).long()
    size = _size(prepared, codes, overrides)
    place = target_place(prepared, target)
    minutes = overrides.max_minutes
    settings = TrainingSettings(
        max_epochs=size.epochs,
        max_minutes=minutes and minutes * (1 - _TARGET_SHARE if place is not None else 1),
        batch_rows=size.batch_rows,
        weight_decay=size.weight_decay,
        seed=seed,
    )
    torch.manual_seed(seed)
    waves, own_parts = curves(prepared.language, codes)
    model = CurvedModel(size.shape, waves, own_parts)
    model.start_at_marginals(log_marginals(codes, size.shape))
    run = CompactRun(
        model=model,
        waves=waves,
        codes=codes,
        place_columns=torch.from_numpy(prepared.language.place_columns),
        usual_order=tuple(usual_order(prepared.language, target, prepared.context)),
        none_given_share=_none_given_share(prepared),
        num_context=len(prepared.context),
        given_power=_GIVEN_POWER_TO_FILL if prepared.is_to_fill else GIVEN_POWER,
        weights=_place_weights(prepared, target),
        context=prepared.context_places,
        settings=settings,
        fingerprint=_fingerprint(prepared, settings, size.shape, target),
        dtype=fastest_dtype(),
    )
    if processes == 1 and launcher is None:
        report = run.trainer(folder, progress=progress).run()
    else:
        report = _train_together(run, folder, processes, launcher or launch, progress)
    if place is not None and target is not None and report.stopped != "interrupted":
        task = TargetTask(
            prepared=prepared,
            target=target,
            place=place,
            run=run,
            trained=report,
            deadline=started + minutes * 60 if minutes else math.inf,
        )
        try:
            finished, told = teach_target(model, task)
            return finished, replace(report, target=told)
        except KeyboardInterrupt:
            report = replace(report, stopped="interrupted")
    return model.folded(), report


def _train_together(
    run: CompactRun, folder: Path | None, processes: int, launcher: Launcher, progress: Progress
) -> TrainingReport:
    with run_place(folder) as place:
        run.write(place)
        launcher(place, processes, False, progress)
        run.load_trained(place)
        run.model.eval()
        return read_report(place / NAME)


def _none_given_share(prepared: Prepared) -> float:
    if prepared.is_to_fill:
        return 0.0
    return _NONE_GIVEN_SHARE_IN_CONTEXT if prepared.context else NONE_GIVEN_SHARE


def _size(prepared: Prepared, codes: torch.Tensor, overrides: Overrides) -> Size:
    place_sizes = tuple(int(k) for k in prepared.language.place_sizes)
    positions = float((codes >= 0).sum() / max(len(codes), 1))
    size = choose_size(len(codes), place_sizes, positions, prepared.language.place_owners)
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
        weight_decay=size.weight_decay,
    )


def _num_heads(hidden: int) -> int:
    """One head for each 64 of the width, or the next smaller number that divides it."""
    return next(heads for heads in range(max(hidden // 64, 1), 0, -1) if hidden % heads == 0)


def _place_weights(prepared: Prepared, target: str | None) -> torch.Tensor:
    weights = torch.ones(len(prepared.language.place_sizes))
    if target is not None:
        places = prepared.language.places(prepared.language.schema.names.index(target))
        weights[places.start : places.stop] = _TARGET_WEIGHT
    return weights


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
        "context": prepared.context,
        # Which cells are to be filled is nowhere else: the data's hash is that of the whole table.
        "to_fill": _sha256(prepared.codes.tobytes()) if prepared.is_to_fill else None,
    }
    return _sha256(json.dumps(facts, sort_keys=True).encode())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
