"""Fine-tunes a pretrained model on a run folder: in this process, or as one of several.

Started by `accelerate launch`, each process reads its share of every batch and gradients are
averaged; the examples are mapped from disk and the order of everything follows from the seed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import FullyShardedDataParallelPlugin
from peft import PeftModel

from llmsynth.codec.row_language import RowLanguage
from llmsynth.codec.row_tokens import RowTokens, TokenizedRow
from llmsynth.errors import ModelError, TrainingError
from llmsynth.models.pretrained import Pretrained
from llmsynth.progress import Progress, Step, silent
from llmsynth.training.adapter_state import AdapterState
from llmsynth.training.checkpoint import remove_checkpoint
from llmsynth.training.loop import TrainingReport
from llmsynth.training.lora import ChosenPlaces, learned_weights, with_adapter
from llmsynth.training.row_batches import bucketed
from llmsynth.training.row_reading import RowReading
from llmsynth.training.run_folder import TuningRun
from llmsynth.training.schedule import Schedule, trained
from llmsynth.training.weight_shares import release, spread

_CHECKS = 5
"""How often the held-out loss is looked at in a full run, and a checkpoint written; once more
before the first step, which tells how the base model does by itself."""
_MOST_HELD_OUT, _FEWEST_HELD_OUT = 128, 16
_CHECK_SHARE = 0.02
"""Most of a time budget that one check may take, unless it has the fewest rows already."""
_WARM_UP_STEPS = 5
_ROUNDING = 1e-4
"""Of losses in the history."""
_FEWEST_STEPS = 10
"""Fewer, where the time limit ended a run, have taught the adapter too little."""
_CLIP = 1.0
"""Largest norm of the gradient."""


class FineTuner:
    """One fine-tuning run; afterwards `model` holds the best adapter found.

    Args:
        base: the base model, without an adapter.
        accelerator: what accelerate knows of devices and other processes.
        sharding: how weights are spread over them; None where each holds all.

    Raises:
        ModelError: a row of this table does not fit the model's context, even with short cells.
    """

    def __init__(
        self,
        run: TuningRun,
        base: Pretrained,
        *,
        accelerator: Accelerator,
        sharding: FullyShardedDataParallelPlugin | None = None,
        progress: Progress = silent,
    ) -> None:
        self._run, self._settings, self._progress = run, run.settings, progress
        self._accelerator = accelerator
        self._is_spread = sharding is not None
        self._tokens = RowTokens(RowLanguage(run.schema), base.tokenizer)
        self._room = min(run.settings.max_tokens, base.context_length)
        if self._tokens.fewest_tokens > base.context_length:
            raise ModelError(
                f"A row of this table has at least {self._tokens.fewest_tokens} tokens, and "
                f"{base.name} reads {base.context_length} at once.",
                hint="Leave columns out, shorten their names, or use a model with more context.",
            )
        places = ChosenPlaces(base.model)
        self.model: PeftModel = with_adapter(base.model, run.settings, accelerator.device)
        if sharding is not None:
            spread(self.model, accelerator, sharding)
        self._reading = RowReading(
            self.model if self._is_spread else accelerator.prepare(self.model),
            places,
            accelerator,
            padding=self._tokens.eos_token_id,
            longest=self._room,
            batch_tokens=run.settings.batch_tokens,
            is_packed=run.settings.packed,
            is_spread=self._is_spread,
        )
        self._split()

    def run(self) -> TrainingReport:
        """Train until the schedule ends, the held-out loss stops falling, or Ctrl-C.

        Raises:
            TrainingError: the loss is not a number.
            OutOfMemoryError: not even one row at a time fits.
        """
        self._prepare()
        stopped = "schedule"
        try:
            self._shorten_checks()
            if not self._state.position.history:
                self._check()
            for rows in self._batches():
                if self._may_stop():
                    stopped = "early"
                    break
                self._step(rows)
        except KeyboardInterrupt:
            if self._is_spread:
                # The others may be anywhere in a step, and no share is a model: the last
                # checkpoint is what stays.
                raise
            stopped = "interrupted"
            if self._is_whole:
                self._save()
        if stopped == "schedule":
            self._check()
        self._state.load_best()
        if not self._is_spread:
            self._accelerator.unwrap_model(self._reading.model, keep_fp32_wrapper=False)
        self.model.eval()
        if stopped != "interrupted" and self._accelerator.is_main_process:
            remove_checkpoint(self._run.folder)
        return self._report(stopped)

    def _may_stop(self) -> bool:
        """Whether the loss falls no further: not while it warms up.

        Under a time limit not before it ever fell, either: checks may lie a step apart.
        """
        position = self._state.position
        is_warm = position.step >= self._schedule.warm_up_at(position.step, self._share)
        is_limited = self._settings.max_minutes is not None
        has_fallen = not is_limited or position.best_loss < self._start_loss - _ROUNDING
        return position.stale_checks >= self._settings.patience and is_warm and has_fallen

    @property
    def _start_loss(self) -> float:
        """Of the base model by itself; the first check comes before the first step."""
        history = self._state.position.history
        return history[0]["held_out"] if history else float("nan")

    def _split(self) -> None:
        rows = len(self._run.examples)
        order = np.random.default_rng(self._settings.seed).permutation(rows)
        held = min(int(rows * self._settings.validation_share), _MOST_HELD_OUT)
        self._train, self._held_out = sorted(order[held:].tolist()), order[:held].tolist()
        if not self._train:
            raise TrainingError("There is no row to learn from.")
        columns = range(len(self._run.schema.names))
        texts = [self._run.examples[str(column)] for column in columns]
        self._lengths = [sum(len(column[row] or ()) for column in texts) for row in self._train]

    def _prepare(self) -> None:
        settings = self._settings
        weights = learned_weights(self.model)
        optimizer = torch.optim.AdamW(
            weights.values(), lr=settings.learning_rate, weight_decay=0.0, betas=(0.9, 0.99)
        )
        self._state = AdapterState(weights, optimizer, self._run.fingerprint)
        self._state.resume(self._run.folder)
        self._share = 0.0
        self._per_epoch = max(math.ceil(len(self._train) / settings.batch_rows), 1)
        steps = max(int(settings.max_epochs * self._per_epoch), 1)
        seconds = settings.max_minutes * 60 if settings.max_minutes else None
        self._schedule = Schedule(
            steps, seconds, self._state.position.seconds, warm_up_steps=_WARM_UP_STEPS
        )
        self._is_whole = True

    def _batches(self) -> Iterator[list[int]]:
        """Batches of row numbers from where the run stands; checks are made when due."""
        position = self._state.position
        epoch, plan = -1, []
        while (share := self._share_done()) < 1.0:
            if share * _CHECKS >= position.checks + 1:
                position.checks = int(share * _CHECKS)
                self._check()
                self._save()
            if position.step // self._per_epoch != epoch:
                epoch = position.step // self._per_epoch
                rng = np.random.default_rng([self._settings.seed, epoch])
                plan = bucketed(self._lengths, self._settings.batch_rows, rng)
            self._share = share
            yield [self._train[row] for row in plan[position.step % self._per_epoch]]

    def _share_done(self) -> float:
        """Share of the budget used, the same in every process: the largest any of them sees."""
        share = self._schedule.share_done(self._state.position.step)
        if self._accelerator.num_processes == 1:
            return share
        shares = self._accelerator.gather(torch.tensor([share], device=self._accelerator.device))
        return float(shares.max())

    def _step(self, numbers: Sequence[int]) -> None:
        position = self._state.position
        epoch = position.step // self._per_epoch
        rank, world = self._accelerator.process_index, self._accelerator.num_processes
        # A process without a row of its own repeats one, as all of them have to take part.
        own = list(numbers[rank::world]) or [numbers[0]]
        rows = [self._row(number, epoch) for number in own]
        self.model.train()
        if self._settings.dropout:
            torch.manual_seed(self._settings.seed * 1_000_003 + position.step)
        loss, tokens = self._reading.gradients(rows, self._state.clear)
        self._is_whole = False
        torch.nn.utils.clip_grad_norm_(self._state.weights.values(), _CLIP)
        factor = self._schedule.factor(position.step, self._share)
        self._state.step(self._settings.learning_rate * factor)
        position.step += 1
        self._is_whole = True
        self._tell(loss / max(len(own), 1), tokens)

    def _row(self, number: int, epoch: int) -> TokenizedRow:
        rng = np.random.default_rng([self._settings.seed, epoch + 1, number])
        columns, context = self._run.orders.draw(rng)
        return self._tokens.row(columns, self._run.cells(number), context)

    def _shorten_checks(self) -> None:
        """Hold out so few rows that a check takes a small share of the time budget."""
        budget = self._settings.max_minutes
        if budget is None or len(self._held_out) <= _FEWEST_HELD_OUT:
            return
        started = time.perf_counter()
        self._held_out_loss(self._held_out[:_FEWEST_HELD_OUT])
        seconds = time.perf_counter() - started
        affordable = int(_CHECK_SHARE * budget * 60 / max(seconds, 1e-9) * _FEWEST_HELD_OUT)
        if self._accelerator.num_processes > 1:
            counts = torch.tensor([affordable], device=self._accelerator.device)
            affordable = int(self._accelerator.gather(counts).min())
        self._held_out = self._held_out[: max(affordable, _FEWEST_HELD_OUT)]

    def _check(self) -> None:
        """Held-out loss, nats a row and a token, by every process alike; the best is kept."""
        if not self._held_out:
            self._state.keep_best()
            return
        total, tokens = self._held_out_loss(self._held_out)
        seconds = self._schedule.elapsed()
        self._state.note(total / len(self._held_out), total / max(tokens, 1), seconds)

    @torch.no_grad()
    def _held_out_loss(self, numbers: Sequence[int]) -> tuple[float, int]:
        self.model.eval()
        found = self._reading.loss([self._row(number, epoch=-1) for number in numbers])
        if self._is_spread:
            release(self.model)
        return found

    def _save(self) -> None:
        is_main = self._accelerator.is_main_process
        if is_main:
            self._state.position.seconds = self._schedule.elapsed()
        if is_main or self._is_spread:
            self._state.save(self._run.folder if is_main else None)

    def _tell(self, loss_per_row: float, tokens: int) -> None:
        position = self._state.position
        self._state.tokens += tokens
        old = position.recent_loss
        position.recent_loss = loss_per_row if math.isnan(old) else 0.95 * old + 0.05 * loss_per_row
        elapsed = self._schedule.elapsed()
        left = elapsed * (1 - self._share) / max(self._share, 1e-6)
        self._progress(
            Step(
                stage="train",
                done=self._share,
                total=1.0,
                loss=position.recent_loss,
                seconds_left=left,
            )
        )

    def _report(self, stopped: str) -> TrainingReport:
        position = self._state.position
        best, epochs = position.best_loss, position.step / self._per_epoch
        return TrainingReport(
            start_loss=self._start_loss,
            trained=trained(
                position.step,
                epochs,
                is_cut=self._schedule.is_cut(position.step) and stopped == "schedule",
                start=self._start_loss,
                best=best,
                fewest_steps=_FEWEST_STEPS,
            ),
            steps=position.step,
            epochs=epochs,
            seconds=self._schedule.elapsed(),
            train_loss=position.recent_loss,
            held_out_loss=best if math.isfinite(best) else float("nan"),
            stopped=stopped,
            history=position.history,
            processes=self._accelerator.num_processes,
        )
