"""Draws encoded rows from a compact model under its grammar, a block of rows at a time.

Rows of a block walk through the columns in one order, so every step is a handful of tensor
operations. Rows that agree on everything written so far share one *node* (one state of the model):
at the first columns a block of thousands is a handful of nodes. Each row draws by inverse
cumulative probability from its own counter-based uniforms, so that a row depends on the seed and
its number alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from llmsynth.codec.column_code import END, SKIPPED
from llmsynth.codec.row_language import RowLanguage
from llmsynth.engines.key_value_cache import KeyValueCache
from llmsynth.engines.random_draws import uniforms
from llmsynth.engines.weighted_draws import invert, nucleus
from llmsynth.models.compact import CompactModel, CompactShape, unit_norm

MOST_BLOCK_ROWS = 16384
_BLOCK_CACHE_BYTES = 400 << 20
_SHARING_ENDS = 0.6
"""Above this share of distinct prefixes a block stops looking for shared ones."""

CellMask = Callable[[int, Tensor], Tensor | None]
"""Given a column and the codes so far (rows, places): bool (rows, tokens at its first place)."""


@dataclass(frozen=True, kw_only=True)
class Sharpness:
    """How far draws are pulled towards the likely tokens."""

    temperature: float = 1.0
    top_p: float = 1.0


@dataclass
class MaskedMass:
    """Probability that the grammar removed, summed over the draws it was measured on."""

    removed: float = 0.0
    draws: int = 0

    @property
    def mean(self) -> float:
        return self.removed / self.draws if self.draws else 0.0


class CompactSampler:
    """Samples rows of a `RowLanguage` from a `CompactModel`.

    Args:
        model: a trained model; not modified.
        language: the row language it was trained on.
        flat_places: places whose digits are noise, drawn evenly without asking the model.
        masked: apply the grammar; switched off only to measure what it costs.
    """

    def __init__(
        self,
        model: CompactModel,
        language: RowLanguage,
        *,
        flat_places: frozenset[int] = frozenset(),
        dtype: torch.dtype = torch.bfloat16,
        masked: bool = True,
    ) -> None:
        self.language = language
        self.mass = MaskedMass()
        self.block_rows = block_rows(model.shape)
        self._model, self._dtype, self._masked = model, dtype, masked
        self._flat = flat_places
        with torch.no_grad():
            self._embedding = model.embedding.to(dtype)
            self._layers = [_FrozenLayer(layer, dtype) for layer in model.layers]
            self._heads = [
                model.place_head(place, dtype) for place in range(len(model.shape.place_sizes))
            ]
        self._states = [
            (torch.from_numpy(c.automaton.allowed), torch.from_numpy(c.automaton.following))
            for c in language.codes
        ]

    @torch.no_grad()
    def draw(
        self,
        rows: Tensor,
        order: Sequence[int],
        *,
        seed: int,
        given: Tensor | None = None,
        sharpness: Sharpness = Sharpness(),
        cell_mask: CellMask | None = None,
    ) -> Tensor:
        """Draw one block of rows.

        Args:
            rows: int64 (n,), row numbers; they pick the random numbers.
            order: column indices in the order they are written, given columns first.
            seed: of the whole table.
            given: int64 (n, places), codes of the given columns; -2 where a column is to be drawn.
            cell_mask: what else may stand in a column's first place, given the row so far.

        Returns:
            int64 (n, places); SKIPPED where a cell does not use a place.
        """
        walk = _Walk(self, rows, seed, sharpness)
        for column in order:
            places = self.language.places(column)
            if not places:
                continue
            fixed = None
            if given is not None and int(given[0, places.start]) != -2:
                fixed = given[:, places.start : places.stop]
            mask = cell_mask(column, walk.codes) if cell_mask and fixed is None else None
            walk.write_column(column, places, fixed, mask)
        return walk.codes


class _FrozenLayer:
    """A layer's matrices with their norms folded in, in the sampling precision."""

    def __init__(self, layer: torch.nn.Module, dtype: torch.dtype) -> None:
        parameters = dict(layer.named_parameters())
        self.qkv = (parameters["qkv"] * parameters["input_norm"]).to(dtype).t().contiguous()
        self.out = parameters["out"].to(dtype).t().contiguous()
        self.gate_up = (parameters["gate_up"] * parameters["post_norm"]).to(dtype).t().contiguous()
        self.down = parameters["down"].to(dtype).t().contiguous()


class _Walk:
    """One block on its way through the columns: its nodes, their caches and the codes so far."""

    def __init__(
        self, sampler: CompactSampler, rows: Tensor, seed: int, sharpness: Sharpness
    ) -> None:
        self.sampler, self.rows, self.seed, self.sharpness = sampler, rows, seed, sharpness
        shape = sampler._model.shape
        num_places = len(shape.place_sizes)
        self.codes = torch.full((len(rows), num_places), SKIPPED, dtype=torch.int64)
        self.node_of: Tensor | None = torch.zeros(len(rows), dtype=torch.int64)
        self.last = torch.full((1,), shape.begin_token)
        self.cache = KeyValueCache(shape.num_layers, num_places, shape.hidden_size, sampler._dtype)

    def write_column(
        self, column: int, places: range, fixed: Tensor | None, mask: Tensor | None
    ) -> None:
        allowed, following = self.sampler._states[column]
        state = torch.zeros(len(self.rows), dtype=torch.int64)
        for place in places:
            active = None if place == places.start else state >= 0
            if active is not None and not bool(active.any()):
                break
            width = self.sampler._model.shape.place_sizes[place]
            if fixed is not None:
                token = fixed[:, place - places.start]
                if place not in self.sampler._flat:
                    self._feed(place, active, node_only=True)
            else:
                token = self._choose(place, width, state, active, allowed, mask)
            if active is None:
                self.codes[:, place] = token
                state = following[0].index_select(0, token).long()
            else:
                self.codes[active, place] = token[active]
                moved = following[state.clamp(min=0), token.clamp(min=0)].long()
                state = torch.where(active, moved, END)
            mask = None
            if place not in self.sampler._flat:
                self._branch(place, token, active)

    def _choose(
        self,
        place: int,
        width: int,
        state: Tensor,
        active: Tensor | None,
        allowed: Tensor,
        mask: Tensor | None,
    ) -> Tensor:
        if place in self.sampler._flat:
            weights = allowed[state.clamp(min=0), :width].float()
            if not self.sampler._masked:
                weights = torch.ones_like(weights)
            draws = uniforms(self.seed, self.rows, place)
            return invert(weights.cumsum(1), draws)
        logits = self._feed(place, active, node_only=False).float()
        if self.sharpness.temperature != 1.0:
            logits = logits / max(self.sharpness.temperature, 1e-4)
        if self.sampler._masked and active is not None:
            logits = self._spread(logits)
            grammar = allowed[state.clamp(min=0), :width]
            return self._draw(place, self._measure(logits, grammar, active), rowwise=True)
        if mask is not None:
            return self._draw(
                place, self._spread(logits).masked_fill(~mask, -torch.inf), rowwise=True
            )
        return self._draw(place, logits, rowwise=self.node_of is None)

    def _spread(self, per_node: Tensor) -> Tensor:
        return per_node if self.node_of is None else per_node.index_select(0, self.node_of)

    def _measure(self, logits: Tensor, grammar: Tensor, active: Tensor) -> Tensor:
        """Mask the logits, noting how much probability the grammar took from one row in 64."""
        probe = active.nonzero()[::64, 0]
        removed = logits[probe].softmax(1).masked_fill(grammar[probe], 0).sum()
        self.sampler.mass.removed += float(removed)
        self.sampler.mass.draws += len(probe)
        return logits.masked_fill_(~grammar, -torch.inf)

    def _draw(self, place: int, logits: Tensor, *, rowwise: bool) -> Tensor:
        if self.sharpness.top_p < 1.0:
            logits = nucleus(logits, self.sharpness.top_p)
        cumulative = (logits - logits.amax(1, keepdim=True)).exp_().cumsum(1)
        if not rowwise:
            cumulative = self._spread(cumulative)
        return invert(cumulative, uniforms(self.seed, self.rows, place))

    def _feed(self, place: int, active: Tensor | None, *, node_only: bool) -> Tensor:
        """Run the model one position on; logits (nodes, tokens) of the place."""
        sampler = self.sampler
        first = sampler._model.shape.first_place_token
        chosen = None if active is None else self._few_nodes(active)
        last = self.last if chosen is None else self.last.index_select(0, chosen)
        x = sampler._embedding.index_select(0, last) + sampler._embedding[first + place]
        self.cache.open_slot(None if active is None else self._node_flags(active))
        heads = sampler._model.shape.num_heads
        for index, layer in enumerate(sampler._layers):
            x = _advance(layer, x, self.cache, index, heads, chosen, len(self.last))
        if node_only:
            return x
        logits = unit_norm(x) @ sampler._heads[place].t()
        if chosen is None:
            return logits
        return logits.new_zeros(len(self.last), logits.shape[1]).index_copy_(0, chosen, logits)

    def _few_nodes(self, active: Tensor) -> Tensor | None:
        """The active nodes, where they are few enough to be worth picking out."""
        chosen = self._node_flags(active).nonzero()[:, 0]
        return _rounded_up(chosen) if len(chosen) < 0.7 * len(self.last) else None

    def _node_flags(self, active: Tensor) -> Tensor:
        if self.node_of is None:
            return active
        flags = torch.zeros(len(self.last), dtype=torch.bool)
        flags[self.node_of[active]] = True
        return flags

    def _branch(self, place: int, token: Tensor, active: Tensor | None) -> None:
        """Give rows that now differ nodes of their own."""
        shape = self.sampler._model.shape
        start = shape.token_starts[place]
        if self.node_of is None:
            written = token + start
            self.last = written if active is None else torch.where(active, written, self.last)
            return
        width = shape.place_sizes[place] + 1
        step = token if active is None else torch.where(active, token, width - 1)
        keys, node_of = torch.unique(self.node_of * width + step, return_inverse=True)
        if len(keys) > _SHARING_ENDS * len(self.rows):
            parents, step = self.node_of, step
            self.node_of = None
        else:
            keys = _rounded_up(keys)
            parents, step = keys // width, keys % width
            self.node_of = node_of
        kept = self.last.index_select(0, parents)
        self.last = torch.where(step < width - 1, step + start, kept)
        self.cache.select(parents)


def _rounded_up(nodes: Tensor) -> Tensor:
    """The nodes, the last one repeated until their number is one of eight an octave.

    The CPU library keeps a compiled product for every shape it meets, up to a thousand: with counts
    as they come, memory grew by half a gigabyte over 150,000 rows.
    """
    count = len(nodes)
    grain = max(16, 1 << max(count.bit_length() - 4, 0))
    extra = -count % grain
    return torch.cat([nodes, nodes[-1:].expand(extra)]) if extra else nodes


def block_rows(shape: CompactShape) -> int:
    """Rows drawn together: a power of two whose cache stays near 400 MiB.

    It depends on the model alone, so a table never depends on how it is cut into batches. Larger
    blocks share more prefixes: 16,384 rows drew 1.4 times faster a row than 2,048 on Adult.
    """
    row_bytes = 2 * 2 * shape.num_layers * shape.hidden_size * max(len(shape.place_sizes), 1)
    rows = MOST_BLOCK_ROWS
    while rows > 256 and rows * row_bytes > _BLOCK_CACHE_BYTES:
        rows //= 2
    return rows


def _advance(
    layer: _FrozenLayer,
    x: Tensor,
    cache: KeyValueCache,
    index: int,
    heads: int,
    chosen: Tensor | None,
    nodes: int,
) -> Tensor:
    query, key, value = (unit_norm(x) @ layer.qkv).chunk(3, -1)
    attended = cache.attend(index, query, key, value, heads=heads, chosen=chosen, nodes=nodes)
    x = torch.addmm(x, attended, layer.out)
    gate, up = (unit_norm(x) @ layer.gate_up).chunk(2, -1)
    return torch.addmm(x, torch.relu(gate) * up, layer.down)
