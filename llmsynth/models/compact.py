"""The compact model: a small Llama-shaped decoder over a vocabulary compiled from the schema.

One forward position per token. The input at a position is the sum of two embeddings: the token just
written, and the *place* (column and digit group) to be written next, as in sigma-GPT (Pannatier,
Courdier & Fleuret 2024, arXiv 2404.09562, section 3). So a column name costs no position of its
own, and the same weights serve every column order. There are no positional rotations: what stands
in the prefix is a set of (column, value) pairs; the place embedding says which digit comes next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, kw_only=True)
class CompactShape:
    """Sizes of a compact model."""

    hidden_size: int = 128
    num_layers: int = 4
    num_heads: int = 2
    intermediate_size: int = 256
    place_sizes: tuple[int, ...] = ()
    """Tokens at each place."""
    dropout: float = 0.0
    """Share of each layer's two outputs zeroed while training."""
    place_owners: tuple[int, ...] = ()
    """For each place, itself or an earlier place of its size whose tokens it shares (the pieces of
    a text are the same at every slot); empty where every place has tokens of its own."""

    @cached_property
    def token_starts(self) -> tuple[int, ...]:
        """The first token of each place."""
        starts: list[int] = []
        own = 0
        for place, size in enumerate(self.place_sizes):
            owner = self.owner(place)
            starts.append(own if owner == place else starts[owner])
            own += size if owner == place else 0
        return tuple(starts)

    def owner(self, place: int) -> int:
        """The place whose tokens `place` uses."""
        return self.place_owners[place] if self.place_owners else place

    @cached_property
    def num_tokens(self) -> int:
        """Different value tokens."""
        sizes = enumerate(self.place_sizes)
        return sum(size for place, size in sizes if self.owner(place) == place)

    @property
    def begin_token(self) -> int:
        """The token before the first one of a row."""
        return self.num_tokens

    @property
    def first_place_token(self) -> int:
        """Embedding row of place 0."""
        return self.num_tokens + 1

    @property
    def vocabulary_size(self) -> int:
        return self.num_tokens + 1 + len(self.place_sizes)


class _UnitNorm(torch.autograd.Function):
    """x / rms(x) in few passes over memory; the norm's weight is folded into the next matrix."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        scale = (norm.square_().div_(x.shape[-1]).add_(NORM_EPS)).rsqrt_().to(x.dtype)
        y: Tensor = x * scale
        ctx.save_for_backward(y, scale)
        return y

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:
        y, scale = ctx.saved_tensors  # type: ignore[attr-defined]
        along = (grad * y).mean(-1, keepdim=True)
        return torch.addcmul(grad, y, along, value=-1).mul_(scale)


NORM_EPS = 1e-6


def unit_norm(x: Tensor) -> Tensor:
    """x / sqrt(mean(x^2) + eps) over the last dimension (RMSNorm without its weight)."""
    return _UnitNorm.apply(x)  # type: ignore[no-any-return, no-untyped-call]


class CompactLayer(nn.Module):
    """Causal self-attention and a gated feed-forward, each behind an RMSNorm; no biases."""

    product: Callable[[Tensor, Tensor], Tensor] = staticmethod(functional.linear)
    """How an activation meets a matrix: called with qkv, out, gate_up and down, in this order.
    Private training puts one here that also remembers both sides of each product."""

    def __init__(self, shape: CompactShape) -> None:
        super().__init__()
        hidden, inner = shape.hidden_size, shape.intermediate_size
        self.num_heads = shape.num_heads
        self.dropout = shape.dropout
        self.head_size = hidden // shape.num_heads
        self.input_norm = nn.Parameter(torch.ones(hidden))
        self.post_norm = nn.Parameter(torch.ones(hidden))
        self.qkv = nn.Parameter(torch.empty(3 * hidden, hidden))
        self.out = nn.Parameter(torch.empty(hidden, hidden))
        self.gate_up = nn.Parameter(torch.empty(2 * inner, hidden))
        self.down = nn.Parameter(torch.empty(hidden, inner))
        residual = 1 / math.sqrt(2 * shape.num_layers)
        for weight, scale in (
            (self.qkv, 1.0),
            (self.gate_up, 1.0),
            (self.out, residual),
            (self.down, residual),
        ):
            nn.init.normal_(weight, std=scale * weight.shape[1] ** -0.5)

    def projections(self, x: Tensor) -> Tensor:
        """Queries, keys and values side by side; (..., 3 * hidden)."""
        return self.product(unit_norm(x), (self.qkv * self.input_norm).to(x.dtype))

    def mix(self, x: Tensor, attended: Tensor) -> Tensor:
        """The layer's output from its input and what attention read."""
        x = x + self._dropped(self.product(attended, self.out.to(x.dtype)))
        gate, up = self.product(unit_norm(x), (self.gate_up * self.post_norm).to(x.dtype)).chunk(
            2, -1
        )
        return x + self._dropped(self.product(functional.relu(gate) * up, self.down.to(x.dtype)))

    def _dropped(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout) if self.training and self.dropout else x

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        rows, length, hidden = x.shape
        heads = self.projections(x).view(rows, length, 3, self.num_heads, self.head_size)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        # Plain products: the fused CPU kernel is 6 times slower than this in bf16 at lengths of
        # tens of tokens (forward and backward, measured at 256 x 17 x 128).
        scores = torch.matmul(query, key.transpose(-1, -2)).float() * self.head_size**-0.5 + mask
        attended = torch.matmul(scores.softmax(-1).to(x.dtype), value)
        return self.mix(x, attended.transpose(1, 2).reshape(rows, length, hidden))


class CompactModel(nn.Module):
    """Embeddings, layers and one output row per value token."""

    def __init__(self, shape: CompactShape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Parameter(torch.empty(shape.vocabulary_size, shape.hidden_size))
        nn.init.normal_(self.embedding)
        self.layers = nn.ModuleList(CompactLayer(shape) for _ in range(shape.num_layers))
        self.norm = nn.Parameter(torch.ones(shape.hidden_size))
        self.head = nn.Parameter(torch.zeros(shape.num_tokens, shape.hidden_size))
        self.place_starts: list[int] = list(shape.token_starts)
        self._start_sharing_places()

    def token_table(self) -> Tensor:
        """The embedding row of every token and place; (vocabulary, hidden)."""
        return self.embedding

    def head_rows(self, place: int) -> Tensor:
        """The output rows of the tokens at `place`, before the final norm's weight."""
        return self.head[self.tokens_at(place)]

    def tokens_at(self, place: int) -> slice:
        """The tokens of a place."""
        start = self.place_starts[place]
        return slice(start, start + self.shape.place_sizes[place])

    def forward(
        self, tokens: Tensor, places: Tensor, *, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Final hidden states.

        Args:
            tokens: int64 (rows, length), the token before each position.
            places: int64 (rows, length), the place predicted at each position.

        Returns:
            dtype (rows, length, hidden), normed; multiply by `place_head` for logits.
        """
        return self.transformed(self.embedded(tokens, places).to(dtype))

    def embedded(self, tokens: Tensor, places: Tensor) -> Tensor:
        """What enters the first layer; float32 (rows, length, hidden)."""
        table = self.token_table()
        written = functional.embedding(tokens, table)
        return written + functional.embedding(places + self.shape.first_place_token, table)

    def transformed(self, x: Tensor) -> Tensor:
        """The layers and the last norm; (rows, length, hidden)."""
        length = x.shape[1]
        mask = torch.full((length, length), -torch.inf, device=x.device).triu(1)
        for layer in self.layers:
            x = layer(x, mask)
        return unit_norm(x)

    def head_table(self) -> Tensor:
        """The output rows of all tokens, before the final norm's weight; (tokens, hidden)."""
        return self.head

    def place_heads(self, dtype: torch.dtype) -> tuple[Tensor, ...]:
        """`place_head` of every place.

        Cut out of one table at once: the gradient of a slice is as large as the whole, and with 288
        places of 29,000 tokens, one slice a place took three quarters of a training step.
        """
        table = (self.head_table() * self.norm).to(dtype)
        places = range(len(self.shape.place_sizes))
        owned = [place for place in places if self.shape.owner(place) == place]
        parts = torch.split(table, [self.shape.place_sizes[place] for place in owned])
        by_owner = dict(zip(owned, parts, strict=True))
        return tuple(by_owner[self.shape.owner(place)] for place in places)

    def place_head(self, place: int, dtype: torch.dtype) -> Tensor:
        """Output rows of the tokens at `place`, with the final norm's weight; (tokens, hidden)."""
        return (self.head_rows(place) * self.norm).to(dtype)

    @torch.no_grad()
    def start_at_marginals(self, log_probabilities: Sequence[Tensor]) -> None:
        """Set the output rows so that an untrained model predicts each place's marginal.

        Each place's embedding is the direction along which its output rows hold the marginals: the
        untrained residual stream still carries it, with about half of its energy.
        """
        table = self.token_table()
        for place, logs in enumerate(log_probabilities):
            if self.shape.owner(place) != place:
                continue
            direction = table[self.shape.first_place_token + place]
            centred = logs - logs.mean()
            rows = torch.outer(centred, direction) / direction.square().sum() * math.sqrt(2)
            self.start_head(place, rows)

    @torch.no_grad()
    def start_head(self, place: int, rows: Tensor) -> None:
        """Overwrite the output rows of the tokens at `place`; (tokens, hidden)."""
        self.head[self.tokens_at(place)] = rows

    @torch.no_grad()
    def _start_sharing_places(self) -> None:
        """Places that share tokens begin as one direction with a part of their own each.

        Along the common part they hold the marginals of the shared tokens from the start.
        """
        shape = self.shape
        for place in range(len(shape.place_sizes)):
            if (owner := shape.owner(place)) != place:
                row = self.embedding[shape.first_place_token + place]
                common = self.embedding[shape.first_place_token + owner]
                row.add_(common).mul_(math.sqrt(0.5))
