"""Draws cells of rows that each lack other ones: every row has its own order of columns.

`compact_sampler` walks a block through one order and shares equal prefixes. Here known cells differ
in every row, nothing could be shared, and rows of all patterns go through the model together: the
known cells as one sequence, then the wanted ones place by place.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from llmsynth.codec.column_code import END
from llmsynth.codec.row_language import RowLanguage
from llmsynth.engines.compact_sampler import CellMask
from llmsynth.engines.random_draws import uniforms
from llmsynth.engines.weighted_draws import invert
from llmsynth.models.compact import CompactModel


class MixedOrderSampler:
    """Completes encoded rows of a `RowLanguage` with a `CompactModel`.

    Args:
        model: a trained model; switched to evaluation.
        order: column indices as rows are written when nothing is given.
        flat_places: places whose digits are noise, drawn evenly without asking the model.
    """

    def __init__(
        self,
        model: CompactModel,
        language: RowLanguage,
        order: Sequence[int],
        *,
        flat_places: frozenset[int] = frozenset(),
        dtype: torch.dtype = torch.bfloat16,
    ) -> None:
        self.language = language
        self._model, self._dtype = model.eval(), dtype
        self._order = torch.tensor(list(order), dtype=torch.int64)
        spans = [language.places(column) for column in range(len(language.codes))]
        self._spans = spans
        self._written = [p for column in order for p in spans[column] if p not in flat_places]
        self._flat = flat_places
        self._starts = torch.tensor(model.place_starts)
        self._states = [
            (torch.from_numpy(c.automaton.allowed), torch.from_numpy(c.automaton.following).long())
            for c in language.codes
        ]

    @torch.no_grad()
    def draw(
        self,
        codes: Tensor,
        wanted: Tensor,
        rows: Tensor,
        *,
        seed: int,
        cell_mask: CellMask,
    ) -> Tensor:
        """Draw the wanted cells of a block of rows.

        Args:
            codes: int64 (n, places), negative where a place is unused or a cell is not known.
            wanted: bool (n, columns).
            rows: int64 (n,), row numbers; they pick the random numbers.
            cell_mask: what may stand in a column's first place, given the row so far.

        Returns:
            int64 (n, places), the codes with the wanted cells in place.
        """
        walk = _Walk(self, codes, wanted, rows, seed, cell_mask)
        ordered = wanted[:, self._order]
        count = ordered.cumsum(1)
        for turn in range(1, int(count[:, -1].max()) + 1):
            is_next = ordered & (count == turn)
            columns = torch.where(is_next.any(1), self._order[is_next.int().argmax(1)], -1)
            walk.write(columns)
        return walk.codes


class _Walk:
    """One block: its codes, and each row's sequence of tokens so far."""

    def __init__(
        self,
        sampler: MixedOrderSampler,
        codes: Tensor,
        wanted: Tensor,
        rows: Tensor,
        seed: int,
        cell_mask: CellMask,
    ) -> None:
        self._sampler, self._rows, self._seed, self._mask = sampler, rows, seed, cell_mask
        columns = torch.from_numpy(sampler.language.place_columns)
        self.codes = codes.masked_fill(wanted[:, columns], END)
        places = torch.tensor(sampler._written, dtype=torch.int64)
        own = self.codes[:, places]
        first = (own < 0).int().argsort(dim=1, stable=True)
        tokens = (own + sampler._starts[places]).gather(1, first)
        self._length = (own >= 0).sum(1)
        begin = torch.full((len(codes), 1), sampler._model.shape.begin_token)
        self._tokens = torch.cat([begin, tokens.clamp(min=0)], 1)
        # One place more: where a row is full, its next place stands behind the last token.
        self._places = torch.cat([places[first], torch.zeros_like(begin)], 1)

    def write(self, columns: Tensor) -> None:
        """Write one column in every row; -1 for none."""
        state = torch.zeros(len(columns), dtype=torch.int64)
        spans = self._sampler._spans
        present = sorted(set(columns.tolist()))
        for offset in range(max(len(spans[c]) for c in present if c >= 0)):
            hidden: Tensor | None = None
            asked = [
                (c, mine)
                for c in present
                if c >= 0 and offset < len(spans[c])
                if len(mine := ((columns == c) & (state >= 0)).nonzero()[:, 0])
            ]
            learned = [(c, m) for c, m in asked if spans[c][offset] not in self._sampler._flat]
            if learned:
                hidden = self._hidden([(spans[c][offset], mine) for c, mine in learned])
            for column, mine in asked:
                place = spans[column][offset]
                state[mine] = self._place(column, place, mine, state[mine], hidden)

    def _hidden(self, asked: list[tuple[int, Tensor]]) -> Tensor:
        """The model's states for the next place; (block rows, hidden), of the asked rows alone."""
        for place, mine in asked:
            self._places[mine, self._length[mine]] = place
        rows = torch.cat([mine for _, mine in asked])
        last = self._length[rows]
        width = int(last.max()) + 1
        found = self._sampler._model(
            self._tokens[rows, :width], self._places[rows, :width], dtype=self._sampler._dtype
        )[torch.arange(len(rows)), last]
        states: Tensor = found.new_zeros(len(self.codes), found.shape[1])
        return states.index_copy_(0, rows, found)

    def _place(
        self, column: int, place: int, mine: Tensor, state: Tensor, hidden: Tensor | None
    ) -> Tensor:
        """Draw one place of some rows; the automaton's states after it."""
        sampler = self._sampler
        width = sampler._model.shape.place_sizes[place]
        allowed, following = sampler._states[column]
        weights = allowed[state, :width].float()
        is_flat = place in sampler._flat
        if not is_flat and hidden is not None:
            logits = (hidden[mine] @ sampler._model.place_head(place, sampler._dtype).t()).float()
            if place == sampler._spans[column].start:
                mask = self._mask(column, self.codes[mine])
                if mask is not None:
                    logits = logits.masked_fill(~mask, -torch.inf)
            logits = logits.masked_fill(weights == 0, -torch.inf)
            weights = (logits - logits.amax(1, keepdim=True)).exp()
        token = invert(weights.cumsum(1), uniforms(self._seed, self._rows[mine], place))
        self.codes[mine, place] = token
        if not is_flat:
            self._length[mine] += 1
            self._tokens[mine, self._length[mine]] = token + sampler._starts[place]
        after: Tensor = following[state, token]
        return after
