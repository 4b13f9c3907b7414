"""Each row's gradients at a compact model's two ends, the embedding and the output rows.

A row writes each token once and predicts each place once. So the parts of its gradient lie in rows
of their own, and its squared norm is a plain sum.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from llmsynth.models.curves import CurvedModel
from llmsynth.training.sequences import Sequences


class EmbeddingGradients:
    """What each row asks of the embedding and its curves.

    Args:
        entered: float32 (rows, length, hidden), the loss's gradient of what entered the model.

    Attributes:
        squared_norms: float32 (rows,).
    """

    def __init__(self, model: CurvedModel, batch: Sequences, entered: Tensor) -> None:
        self._model, self._batch, self._entered = model, batch, entered
        own = model.get_buffer("own")[:, 0]
        each = own.square()
        for place, size in enumerate(model.shape.place_sizes):
            curve = model.curve_of(place)
            if curve is not None:
                start = model.place_starts[place]
                each = each.clone()
                each[start : start + size] += curve[1].square().sum(1)
        # The place's own embedding counts once more at each position.
        weights = each[batch.tokens] + 1.0
        self.squared_norms = (entered.square().sum(-1) * weights).sum(-1)

    def summed(self, factors: Tensor) -> list[Tensor]:
        """Gradients of embedding and embedding curves, each row times its factor."""
        model, batch = self._model, self._batch
        scaled = (self._entered * factors[:, None, None]).flatten(0, 1)
        table = torch.zeros_like(model.embedding)
        table.index_add_(0, batch.tokens.flatten(), scaled)
        table.index_add_(0, batch.places.flatten() + model.shape.first_place_token, scaled)
        curves = torch.zeros_like(model.embedding_curves)
        for place, size in enumerate(model.shape.place_sizes):
            curve = model.curve_of(place)
            if curve is not None:
                start = model.place_starts[place]
                curves[curve[0]] = curve[1].t() @ table[start : start + size]
        return [table * model.get_buffer("own"), curves]


class HeadGradients:
    """The loss at the output rows, and what each row asks of them and of the hidden states.

    Args:
        hidden: (rows, length, hidden), final hidden states.
        position_of: int64 (places, rows), where each place is predicted.
        codes: int64 (rows, places), the tokens to predict; negative where unused.
        weights: what each place counts.

    Attributes:
        of_hidden: gradient of `hidden`, in its shape and dtype.
        squared_norms: float32 (rows,).
    """

    def __init__(
        self,
        model: CurvedModel,
        hidden: Tensor,
        position_of: Tensor,
        codes: Tensor,
        weights: Sequence[float],
    ) -> None:
        self._model = model
        rows, length, size = hidden.shape
        flat = hidden.reshape(rows * length, size)
        out = torch.zeros_like(flat)
        self.squared_norms = torch.zeros(rows)
        self._parts: list[tuple[int, Tensor, Tensor, Tensor]] = []
        own = model.get_buffer("own")[:, 0]
        for place in range(codes.shape[1]):
            used = (codes[:, place] >= 0).nonzero()[:, 0]
            if not len(used):
                continue
            index = used * length + position_of[place, used]
            states = flat[index]
            matrix = model.place_head(place, hidden.dtype).detach()
            left = functional.linear(states, matrix).float().softmax(-1)
            left[torch.arange(len(used)), codes[used, place]] -= 1.0
            left *= weights[place]
            out[index] = (left.to(hidden.dtype) @ matrix).to(out.dtype)
            states = states.float()
            start = model.place_starts[place]
            asked = (left * own[start : start + left.shape[1]]).square().sum(1)
            curve = model.curve_of(place)
            if curve is not None:
                asked = asked + (left @ curve[1]).square().sum(1)
            self.squared_norms.index_add_(0, used, asked * states.square().sum(1))
            self._parts.append((place, used, left, states))
        self.of_hidden = out.view(rows, length, size)

    def summed(self, factors: Tensor) -> list[Tensor]:
        """Gradients of output rows and their curves, each row times its factor."""
        model = self._model
        head, curves = torch.zeros_like(model.head), torch.zeros_like(model.head_curves)
        own = model.get_buffer("own")
        for place, used, left, states in self._parts:
            rows = (left * factors[used, None]).t() @ states
            start = model.place_starts[place]
            head[start : start + len(rows)] = rows * own[start : start + len(rows)]
            curve = model.curve_of(place)
            if curve is not None:
                curves[curve[0]] = curve[1].t() @ rows
        return [head, curves]
