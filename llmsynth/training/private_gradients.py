"""Clipped per-unit gradients of a compact model, in one pass forwards and one back.

What a row adds to a matrix's gradient is the product of two thin matrices: what entered it and the
loss's gradient of what left it, a row each a position. Its norm follows from both without forming
it (ghost norms; Goodfellow 2015, arXiv 1510.01799; Li et al. 2022, arXiv 2110.05679, section 4),
and the clipped sum is one weighted product of what was remembered (book-keeping; Bu et al. 2023,
arXiv 2210.00038). So the bound holds for the very numbers that are summed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from llmsynth.models.compact import CompactLayer
from llmsynth.models.curves import CurvedModel
from llmsynth.training.private_ends import EmbeddingGradients, HeadGradients
from llmsynth.training.sequences import Shuffler

_SLACK = 1e-3
"""Clipping stays this much below the bound, for rounding in sums of float32."""


@dataclass(frozen=True)
class ClippedSum:
    """The clipped gradients of some units, added up.

    gradients: one tensor a trained parameter.
    norms: float32 (units,), before clipping.
    """

    gradients: list[Tensor]
    norms: Tensor


class UnitGradients(Protocol):
    """What private training asks of a model: LoRA adapters can be given in the same way."""

    @property
    def parameters(self) -> Sequence[Tensor]:
        """What is trained."""

    def clipped_sum(self, codes: Tensor, units: Tensor, bound: float) -> ClippedSum:
        """Gradients of the rows' losses, added up by unit, clipped to `bound` in L2, and summed.

        Args:
            codes: int64 (rows, places), all rows of the units in the batch.
            units: int64 (rows,), ascending from 0: whose each row is.
        """


@dataclass
class _Tape:
    """Both sides of every product with a matrix, in the order of the forward pass."""

    inputs: list[Tensor] = field(default_factory=list)
    gradients: list[Tensor] = field(default_factory=list)

    def product(self, x: Tensor, weight: Tensor) -> Tensor:
        return _Remembered.apply(x, weight.detach(), self)  # type: ignore[no-any-return, no-untyped-call]


class _Remembered(torch.autograd.Function):
    """x W^T whose backward pass notes the gradient of the result, and none of W."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, x: Tensor, weight: Tensor, tape: _Tape
    ) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.tape, ctx.slot = tape, len(tape.inputs)  # type: ignore[attr-defined]
        tape.inputs.append(x.detach())
        tape.gradients.append(x)
        return functional.linear(x, weight)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, grad: Tensor
    ) -> tuple[Tensor, None, None]:
        (weight,) = ctx.saved_tensors  # type: ignore[attr-defined]
        ctx.tape.gradients[ctx.slot] = grad  # type: ignore[attr-defined]
        return grad @ weight, None, None


class CompactUnitGradients:
    """`UnitGradients` of a compact model in training.

    The norms' weights stay as they are. A unit's loss is the sum over its rows and places; nothing
    of it depends on the other units of a batch. The norm of a unit of several rows is taken to be
    the sum of its rows' norms, which is never less.

    Args:
        place_weights: float32 (places,), what each place counts in the loss.
        dtype: of the passes through the model; norms and sums are float32.
    """

    def __init__(
        self,
        model: CurvedModel,
        shuffler: Shuffler,
        place_weights: Tensor,
        *,
        seed: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._model, self._shuffler, self._weights = model, shuffler, place_weights.tolist()
        self._generator = torch.Generator().manual_seed(seed)
        self._dtype = dtype
        self._matrices = [
            weight
            for layer in model.layers
            if isinstance(layer, CompactLayer)
            for weight in (layer.qkv, layer.out, layer.gate_up, layer.down)
        ]

    @property
    def parameters(self) -> list[Tensor]:
        model = self._model
        ends = [model.embedding, model.embedding_curves, model.head, model.head_curves]
        return [*self._matrices, *ends]

    def clipped_sum(self, codes: Tensor, units: Tensor, bound: float) -> ClippedSum:
        batch = self._shuffler(codes, self._generator)
        tape = _Tape()
        with self._watched(tape):
            with torch.no_grad():
                entered = self._model.embedded(batch.tokens, batch.places).to(self._dtype)
            entered.requires_grad_(True)
            hidden = self._model.transformed(entered)
        head = HeadGradients(self._model, hidden.detach(), batch.position_of, codes, self._weights)
        hidden.backward(head.of_hidden)  # type: ignore[no-untyped-call]
        assert entered.grad is not None
        ends = EmbeddingGradients(self._model, batch, entered.grad.float())
        squares = head.squared_norms + ends.squared_norms
        for entered_, left in zip(tape.inputs, tape.gradients, strict=True):
            squares = squares + _squared_norms(entered_.float(), left.float())
        norms = torch.zeros(int(units[-1]) + 1).index_add(0, units, squares.sqrt())
        factors = (bound / (norms * (1 + _SLACK))).clamp(max=1.0)[units]
        sums = [
            _weighted_product(left.float(), entered_.float(), factors)
            for entered_, left in zip(tape.inputs, tape.gradients, strict=True)
        ]
        del tape
        return ClippedSum([*sums, *ends.summed(factors), *head.summed(factors)], norms)

    @contextmanager
    def _watched(self, tape: _Tape) -> Iterator[None]:
        layers = [layer for layer in self._model.layers if isinstance(layer, CompactLayer)]
        for layer in layers:
            layer.product = tape.product
        try:
            yield
        finally:
            for layer in layers:
                del layer.product


def _squared_norms(entered: Tensor, left: Tensor) -> Tensor:
    """Squared norms of each row's left^T entered, by products of positions; float32 (rows,)."""
    return ((entered @ entered.transpose(1, 2)) * (left @ left.transpose(1, 2))).sum((1, 2))


def _weighted_product(left: Tensor, entered: Tensor, factors: Tensor) -> Tensor:
    """Sum over rows of factor * left^T entered; (out, in)."""
    scaled = (left * factors[:, None, None]).reshape(-1, left.shape[-1])
    return scaled.t() @ entered.reshape(-1, entered.shape[-1])
