"""A model reads rows, in parts that fit the memory: their loss, and its gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional

from llmsynth.codec.row_tokens import TokenizedRow
from llmsynth.engines.memory_shortage import free_cached_memory, is_out_of_memory
from llmsynth.errors import OutOfMemoryError, TrainingError
from llmsynth.training.lora import ChosenPlaces
from llmsynth.training.row_batches import RowBatch, micro_batches, packed, padded


class RowReading:
    """Reads rows with one model.

    Args:
        model: as accelerate wrapped it.
        longest: rows are cut there.
        is_spread: whether each process holds a share of the weights, so that all of them have to
            read a part whenever one does.

    Attributes:
        batch_tokens: tokens read at once; halved where memory falls short.
    """

    def __init__(
        self,
        model: nn.Module,
        places: ChosenPlaces,
        accelerator: Accelerator,
        *,
        padding: int,
        longest: int,
        batch_tokens: int,
        is_packed: bool,
        is_spread: bool = False,
    ) -> None:
        self.model, self._places, self._accelerator = model, places, accelerator
        self._is_spread = is_spread
        self._padding, self._longest, self._is_packed = padding, longest, is_packed
        self._dtype: torch.dtype = next(model.parameters()).dtype
        self.batch_tokens = batch_tokens

    def loss(self, rows: Sequence[TokenizedRow]) -> tuple[float, int]:
        """Summed loss in nats, and how many tokens it was told on."""
        total, tokens = 0.0, 0
        for part in self._parts(rows):
            total += float(self._loss(part))
            tokens += len(part.targets)
        return total, tokens

    def gradients(
        self, rows: Sequence[TokenizedRow], clear: Callable[[], None]
    ) -> tuple[float, int]:
        """Add the gradients of the mean loss per learned token of all processes' rows.

        Args:
            clear: takes back what was added when memory fell short half-way.

        Returns:
            Summed loss in nats and number of learned tokens, of this process.

        Raises:
            OutOfMemoryError: not even one row at a time fits.
            TrainingError: the loss is not a number.
        """
        while True:
            try:
                return self._try_gradients(self._parts(rows))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                clear()
                self._halve(rows, error)

    def _halve(self, rows: Sequence[TokenizedRow], error: BaseException) -> None:
        smallest = max(min(len(row.token_ids), self._longest) for row in rows)
        # Other processes have gone on by now; a second try here would wait for them for ever.
        if self._accelerator.num_processes > 1 or self.batch_tokens <= smallest:
            raise OutOfMemoryError(
                f"Reading {min(self.batch_tokens, self._longest)} tokens at once does not fit the "
                f"memory of {self._accelerator.device}: {str(error).splitlines()[0]}",
                hint="Lower batch_tokens or max_tokens, load in four bits, or use a smaller model.",
            ) from error
        self.batch_tokens = max(self.batch_tokens // 2, smallest)
        free_cached_memory()

    def _try_gradients(self, parts: Sequence[RowBatch]) -> tuple[float, int]:
        tokens = sum(len(part.targets) for part in parts)
        world = self._accelerator.num_processes
        everyone, most = tokens, len(parts)
        if world > 1:
            own = torch.tensor([[tokens, len(parts)]], device=self._accelerator.device)
            counted = self._accelerator.gather(own)
            everyone, most = int(counted[:, 0].sum()), int(counted[:, 1].max())
        # Gradients are averaged over processes: `world` makes that a sum.
        weight = world / max(everyone, 1)
        total = 0.0
        for place, part in enumerate(parts):
            with self._adding(is_last=place == len(parts) - 1):
                loss = self._loss(part)
                self._accelerator.backward(loss * weight)
            total += float(loss.detach())
        if self._is_spread:
            for _ in range(most - len(parts)):
                self._accelerator.backward(self._loss(parts[0]) * 0.0)
        if not math.isfinite(total):
            raise TrainingError(f"The loss became {total}.", hint="Lower the learning rate.")
        return total, tokens

    def _adding(self, *, is_last: bool) -> AbstractContextManager[None]:
        """Gradients are sent to the other processes once, with the last part of a batch.

        Not so where weights are spread: no process has a place for those of the others.
        """
        if is_last or self._is_spread:
            return nullcontext()
        quiet: AbstractContextManager[None] = self._accelerator.no_sync(self.model)
        return quiet

    def _parts(self, rows: Sequence[TokenizedRow]) -> list[RowBatch]:
        parts = micro_batches(rows, self.batch_tokens, packed=self._is_packed)
        return [self._tensors(part).to(self._accelerator.device) for part in parts]

    def _tensors(self, rows: Sequence[TokenizedRow]) -> RowBatch:
        if self._is_packed:
            return packed(rows, self._longest, self._dtype)
        return padded(rows, self._longest, self._padding)

    def _loss(self, batch: RowBatch) -> Tensor:
        """Summed cross-entropy of the learned tokens, nats."""
        with self._places.only(batch.predicts), self._accelerator.autocast():
            logits = self.model(
                input_ids=batch.input_ids,
                attention_mask=batch.attention_mask,
                position_ids=batch.position_ids,
                use_cache=False,
            ).logits[0]
        return functional.cross_entropy(logits.float(), batch.targets, reduction="sum")
