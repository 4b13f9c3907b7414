"""Clipped per-unit gradients of a pretrained model's LoRA adapter, the only weights that learn.

An adapter's matrices are thin, so each unit's gradient of them is formed outright and clipped; no
bound on its norm is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch.nn import functional

from llmsynth.codec.row_tokens import TokenizedRow
from llmsynth.errors import SettingsError
from llmsynth.training.lora import ChosenPlaces, learned_weights
from llmsynth.training.private_gradients import ClippedSum
from llmsynth.training.row_batches import padded

_SLACK = 1e-3
"""Clipping stays this much below the bound, for rounding in sums of float32."""


class AdapterUnitGradients:
    """`UnitGradients` of an adapter over rows that a language model reads.

    A row's loss is the mean over its own learned tokens, so that nothing of it depends on the
    others; a unit's gradient is the sum over its rows. What is called codes here are row numbers.

    Args:
        model: under an adapter of linear layers, which alone learns.
        row: a row as it is learned this time, by its number.
        padding: token that fills short rows.
        longest: rows are cut there.

    Raises:
        SettingsError: something other than the adapter's linear matrices would learn.
    """

    def __init__(
        self, model: PeftModel, row: Callable[[int], TokenizedRow], *, padding: int, longest: int
    ) -> None:
        self._model, self._row, self._padding, self._longest = model, row, padding, longest
        self._places = ChosenPlaces(model.get_base_model())  # type: ignore[arg-type]
        self._matrices = _adapter_matrices(model)
        learned = {id(weight) for weight in learned_weights(model).values()}
        if learned != {id(matrix.weight) for matrix in self._matrices}:
            raise SettingsError(
                "Only adapters of linear layers can be learned under differential privacy.",
                hint="Leave target_modules out, for every linear layer.",
            )

    @property
    def parameters(self) -> list[Tensor]:
        return [matrix.weight for matrix in self._matrices]

    def clipped_sum(self, codes: Tensor, units: Tensor, bound: float) -> ClippedSum:
        count = int(units[-1]) + 1
        by_unit = self._by_unit([self._row(int(number)) for number in codes[:, 0]], units, count)
        norms = torch.zeros(count)
        for part in by_unit:
            norms += part.square().sum((1, 2)).cpu()
        norms = norms.sqrt()
        factors = (bound / (norms * (1 + _SLACK))).clamp(max=1.0)
        return ClippedSum(
            [torch.einsum("u,uoi->oi", factors.to(part), part) for part in by_unit], norms
        )

    def _by_unit(self, rows: Sequence[TokenizedRow], units: Tensor, count: int) -> list[Tensor]:
        """Each unit's gradient of every matrix; float32 (units, out, in)."""
        device = self._matrices[0].weight.device
        batch = padded(rows, self._longest, self._padding).to(device)
        if not len(batch.targets):
            return [torch.zeros(count, *m.weight.shape, device=device) for m in self._matrices]
        with self._watched() as tape, self._places.only(batch.predicts):
            logits = self._model(
                input_ids=batch.input_ids,
                attention_mask=batch.attention_mask,
                position_ids=batch.position_ids,
                use_cache=False,
            ).logits[0]
            losses = functional.cross_entropy(logits.float(), batch.targets, reduction="none")
            learned = batch.predicts.sum(1)
            (losses / learned[batch.predicts.nonzero()[:, 0]]).sum().backward()  # type: ignore[no-untyped-call]
        self._model.zero_grad(set_to_none=True)
        found = []
        for matrix in self._matrices:
            entered, left = tape[matrix]
            of_rows = left.float().transpose(1, 2) @ entered.float()
            whole = torch.zeros(count, *matrix.weight.shape, device=device)
            found.append(whole.index_add_(0, units.to(device), of_rows))
        return found

    @contextmanager
    def _watched(self) -> Iterator[dict[nn.Module, tuple[Tensor, Tensor]]]:
        """What enters each matrix, and the loss's gradient of what leaves it."""
        tape: dict[nn.Module, tuple[Tensor, Tensor]] = {}

        def after(module: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
            entered = inputs[0].detach()

            def noted(left: Tensor) -> None:
                tape[module] = (entered, left.detach())

            # Under checkpointing the first of two passes records nothing.
            if out.requires_grad:
                out.register_hook(noted)  # type: ignore[no-untyped-call]

        hooks = [matrix.register_forward_hook(after) for matrix in self._matrices]
        try:
            yield tape
        finally:
            for hook in hooks:
                hook.remove()


def _adapter_matrices(model: PeftModel) -> list[nn.Linear]:
    """Both matrices of every adapted layer, in the model's order."""
    found = []
    for module in model.modules():
        if isinstance(module, LoraLayer):
            for part in (*module.lora_A.values(), *module.lora_B.values()):
                if isinstance(part, nn.Linear):
                    found.append(part)
    return found
