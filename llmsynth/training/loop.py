"""Trains a compact model on encoded rows: batches, schedule, average, early stop, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from llmsynth.errors import TrainingError
from llmsynth.models.compact import CompactModel
from llmsynth.progress import Progress, Step, silent
from llmsynth.training.average import WeightAverage
from llmsynth.training.checkpoint import (
    Position,
    load_checkpoint,
    remove_checkpoint,
    save_checkpoint,
)
from llmsynth.training.loss import place_losses
from llmsynth.training.optimizers import Optimizers
from llmsynth.training.schedule import ENOUGH, Schedule, trained
from llmsynth.training.sequences import Sequences, Shuffler
from llmsynth.training.settings import TrainingSettings
from llmsynth.training.target_report import TargetReport
from llmsynth.training.team import Alone, Team, add_gradients

_CHECKS = 12
"""How often the held-out loss is looked at in a full run, and a checkpoint written."""
_MOST_HELD_OUT, _FEWEST_HELD_OUT = 2000, 64
_CHECK_SHARE = 0.01
"""Most of a time budget that one check may take, unless it has the fewest rows already."""


@dataclass(frozen=True, kw_only=True)
class TrainingReport:
    """What a training run did."""

    steps: int
    epochs: float
    seconds: float
    train_loss: float
    """Late training loss, nats a row."""
    held_out_loss: float
    """Best held-out loss of the averaged weights, nats a row; NaN when nothing was held out."""
    stopped: str
    """`schedule`, `early` or `interrupted`."""
    history: list[dict[str, float]] = field(default_factory=list)
    processes: int = 1
    """How many trained together."""
    start_loss: float = float("nan")
    """Held-out loss before the first step; NaN when nothing was held out."""
    trained: str = ENOUGH
    """`too_little` where a time limit came before much was learned."""
    target: TargetReport | None = None
    """How the target was taught and its shares kept; None where there is none to teach."""


def split_rows(rows: int, settings: TrainingSettings) -> tuple[Tensor, Tensor]:
    """Numbers of the rows that are held out and of those that are learned; int64 each."""
    held = min(int(rows * settings.validation_share), _MOST_HELD_OUT)
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(settings.seed))
    return order[:held], order[held:]


@dataclass
class Trainer:
    """One training run.

    Args:
        codes: int64 (rows, places), encoded rows; negative where a place is not used.
        weights: float32 (places,), what each place counts in the loss.
        folder: where checkpoints go; None for none.
        fingerprint: what identifies the run among checkpoints.
        context: places that are only ever given, and cost no loss.
        team: the processes that train together; the batch of a step is shared out among them.
    """

    model: CompactModel
    codes: Tensor
    shuffler: Shuffler
    weights: Tensor
    settings: TrainingSettings
    folder: Path | None = None
    fingerprint: str = ""
    progress: Progress = silent
    dtype: torch.dtype = torch.float32
    context: frozenset[int] = frozenset()
    team: Team = field(default_factory=Alone)

    def run(self) -> TrainingReport:
        """Train until the schedule ends, the held-out loss stops falling, or Ctrl-C.

        Ctrl-C keeps the best weights so far; the checkpoint stays for a later fit to take up.

        Raises:
            TrainingError: the loss is not a number, or processes differ in where they begin.
        """
        self._prepare()
        stopped = "schedule"
        try:
            self._begin_checks()
            for factor_step in self._steps():
                if self._may_stop(*factor_step):
                    stopped = "early"
                    break
                self._one_step(*factor_step)
        except KeyboardInterrupt:
            stopped = "interrupted"
            if self._is_whole:
                self._save()
        if stopped != "early":
            self._check()
        self._average.load(self._best)
        self.model.eval()
        if self.folder and stopped != "interrupted" and not self.team.rank:
            remove_checkpoint(self.folder)
        return self._report(stopped)

    def _prepare(self) -> None:
        settings = self.settings
        held_out, learned = split_rows(len(self.codes), settings)
        self._held_out, self._train = self.codes[held_out], self.codes[learned]
        self._batch = min(settings.batch_rows, len(self._train))
        self._per_epoch = max(len(self._train) // self._batch, 1)
        self._total = max(int(settings.max_epochs * self._per_epoch), 1)
        self._optimizers = Optimizers(self.model, settings)
        self._average = WeightAverage(self.model, settings.averaging)
        self._best = [weight.clone() for weight in self._average.average]
        self._position = Position(fingerprint=self.fingerprint)
        self._is_whole = True
        seconds = settings.max_minutes * 60 if settings.max_minutes else None
        self._resume()
        self._schedule = Schedule(self._total, seconds, self._position.seconds)

    def _may_stop(self, step: int, share: float) -> bool:
        """Whether the loss falls no further: not while it warms up.

        Under a time limit not before it ever fell, either: checks may lie a step apart.
        """
        position = self._position
        has_fallen = position.best_loss < position.start_loss or self.settings.max_minutes is None
        is_warm = step >= self._schedule.warm_up_at(step, share)
        return position.stale_checks >= self.settings.patience and is_warm and has_fallen

    def _begin_checks(self) -> None:
        """The loss at the start, and so few held-out rows that a check fits the time budget."""
        budget = self.settings.max_minutes
        if budget is not None and len(self._held_out) > _FEWEST_HELD_OUT:
            started = time.perf_counter()
            self._held_out_loss(self._held_out[:_FEWEST_HELD_OUT])
            seconds = max(time.perf_counter() - started, 1e-9)
            affordable = _CHECK_SHARE * budget * 60 / seconds * _FEWEST_HELD_OUT
            count = int(-self.team.largest(-affordable))
            self._held_out = self._held_out[: max(count, _FEWEST_HELD_OUT)]
        if not self._position.step and len(self._held_out):
            self._position.start_loss = self._held_out_loss(self._held_out)

    def _steps(self) -> Iterator[tuple[int, float]]:
        while (share := self._share_done()) < 1.0:
            if share * _CHECKS >= self._position.checks + 1:
                self._check()
                self._position.checks = int(share * _CHECKS)
                self._save()
            yield self._position.step, share

    def _share_done(self) -> float:
        """Share of the budget used; by the clock that is furthest, where time is the budget."""
        share = self._schedule.share_done(self._position.step)
        return share if self.settings.max_minutes is None else self.team.largest(share)

    def _one_step(self, step: int, share: float) -> None:
        epoch, index = divmod(step, self._per_epoch)
        batch = self._batch_at(epoch, index)
        seed = self.settings.seed * 1_000_003 + step
        whole = self.shuffler(batch, torch.Generator().manual_seed(seed))
        shuffled, own = self._own(whole, batch)
        self.model.train()
        if self.model.shape.dropout:
            # Dropout asks the global generator; a run that is taken up again must drop the same.
            torch.manual_seed(seed * self.team.size + self.team.rank)
        losses = place_losses(
            self.model,
            shuffled,
            own,
            dtype=self.dtype,
            context=self.context,
        )
        total = torch.stack(losses)
        (total @ self.weights / len(batch)).backward()  # type: ignore[no-untyped-call]
        add_gradients(self.team, self.model.parameters())
        # Ctrl-C in here leaves weights of which some are a step ahead: no state to go on from.
        self._is_whole = False
        self._optimizers.step(self._schedule.factor(step, share))
        self._average.update(step)
        self._position.step = step + 1
        self._is_whole = True
        if step % 20 == 0:
            self._tell(float(self.team.add(total.detach().sum())) / len(batch), share)

    def _own(self, whole: Sequences, codes: Tensor) -> tuple[Sequences, Tensor]:
        """The process's own rows of a batch that all of them drew and shuffled alike."""
        if self.team.size == 1:
            return whole, codes
        rows = slice(self.team.rank, None, self.team.size)
        part = Sequences(whole.tokens[rows], whole.places[rows], whole.position_of[:, rows])
        return part, codes[rows]

    def _batch_at(self, epoch: int, index: int) -> Tensor:
        if index == 0 or not hasattr(self, "_order"):
            generator = torch.Generator().manual_seed(self.settings.seed * 7919 + epoch)
            self._order = torch.randperm(len(self._train), generator=generator)
        rows = self._order[index * self._batch : (index + 1) * self._batch]
        return self._train[rows]

    def _tell(self, loss: float, share: float) -> None:
        _refuse_unless_finite(loss)
        position = self._position
        recent = loss if math.isnan(position.recent_loss) else position.recent_loss
        position.recent_loss = 0.8 * recent + 0.2 * loss
        elapsed = self._schedule.elapsed()
        left = elapsed * (1 - share) / share if share > 0 else None
        self.progress(
            Step(stage="train", done=share, total=1.0, loss=position.recent_loss, seconds_left=left)
        )

    @torch.no_grad()
    def _check(self) -> None:
        """Look at the averaged weights' held-out loss, and keep them when they are the best."""
        _refuse_unless_finite(sum(float(weight.sum()) for weight in self._average.average))
        if not len(self._held_out):
            self._best = [weight.clone() for weight in self._average.average]
            return
        with self._average.applied():
            loss = self._held_out_loss(self._held_out)
        _refuse_unless_finite(loss)
        self._position.history.append(
            {
                "step": self._position.step,
                "seconds": round(self._schedule.elapsed(), 2),
                # Before the first step the model is at its start, also in the rows it will learn.
                "train": round(self._position.recent_loss if self._position.step else loss, 4),
                "held_out": round(loss, 4),
            }
        )
        if loss < self._position.best_loss:
            self._position.best_loss, self._position.stale_checks = loss, 0
            self._best = [weight.clone() for weight in self._average.average]
        else:
            self._position.stale_checks += 1

    @torch.no_grad()
    def _held_out_loss(self, rows: Tensor) -> float:
        """Nats a row of the model as it is."""
        generator = torch.Generator().manual_seed(self.settings.seed + 1)
        self.model.eval()
        total = torch.zeros(1, dtype=torch.float64)
        for batch in torch.split(rows, self._batch):
            shuffled, own = self._own(self.shuffler(batch, generator), batch)
            losses = place_losses(self.model, shuffled, own, dtype=self.dtype, context=self.context)
            total += float(torch.stack(losses).sum())
        return float(self.team.add(total)) / len(rows)

    def _save(self) -> None:
        if self.folder is None or self.team.rank:
            return
        self._position.seconds = self._schedule.elapsed()
        tensors = {f"optimizer.{k}": v for k, v in self._optimizers.tensors().items()}
        for name, values in (
            ("weight", [w.detach() for w in self.model.parameters()]),
            ("average", self._average.average),
            ("best", self._best),
        ):
            tensors |= {f"{name}.{index}": value for index, value in enumerate(values)}
        save_checkpoint(self.folder, self._position, tensors)

    def _resume(self) -> None:
        found = load_checkpoint(self.folder, self.fingerprint) if self.folder else None
        step = 0 if found is None else found[0].step
        if self.team.largest(step) != -self.team.largest(-step):
            raise TrainingError(
                "The processes do not see one checkpoint.",
                hint="Put the run in a folder that all machines share, or delete its checkpoint.",
            )
        if found is None:
            return
        self._position, tensors = found
        count = len(self._best)
        parts = {
            name: [tensors[f"{name}.{index}"] for index in range(count)]
            for name in ("weight", "average", "best")
        }
        self._average.load(parts["weight"])
        self._average.average, self._best = parts["average"], parts["best"]
        prefix = "optimizer."
        self._optimizers.restore(
            {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
        )

    def _report(self, stopped: str) -> TrainingReport:
        position = self._position
        best, epochs = position.best_loss, position.step / self._per_epoch
        return TrainingReport(
            steps=position.step,
            epochs=round(epochs, 2),
            start_loss=position.start_loss,
            trained=trained(
                position.step,
                epochs,
                is_cut=self._schedule.is_cut(position.step) and stopped == "schedule",
                start=position.start_loss,
                best=best,
            ),
            seconds=round(self._schedule.elapsed(), 2),
            train_loss=self._position.recent_loss,
            held_out_loss=best if best < float("inf") else float("nan"),
            stopped=stopped,
            history=self._position.history,
            processes=self.team.size,
        )


def _refuse_unless_finite(number: float) -> None:
    if not math.isfinite(number):
        raise TrainingError(
            "The training loss is not a number any more.",
            hint="Lower learning_rate and matrix_learning_rate, or train in float32.",
        )
