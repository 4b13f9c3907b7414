"""Rows as tensors: padded beside rows of about their length, or packed end to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from llmsynth.codec.row_tokens import TokenizedRow

_BATCHES_SORTED_TOGETHER = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class RowBatch:
    """Rows to be read at once.

    Attributes:
        input_ids: int64 (rows, width).
        position_ids: int64 (rows, width), places within a row.
        attention_mask: int64 (rows, width), zero for padding; or floating (1, 1, width, width),
            zero where a token may look and the format's lowest number where not.
        predicts: bool (rows, width), places whose next token is learned.
        targets: int64 (learned tokens,), these next tokens.
    """

    input_ids: Tensor
    position_ids: Tensor
    attention_mask: Tensor
    predicts: Tensor
    targets: Tensor

    def to(self, device: torch.device) -> RowBatch:
        """The batch on a device."""
        return RowBatch(**{name: tensor.to(device) for name, tensor in vars(self).items()})


def bucketed(lengths: Sequence[int], batch_rows: int, rng: np.random.Generator) -> list[list[int]]:
    """Row numbers in batches of `batch_rows`, each of rows of about one length, in random order.

    Every row stands in one batch; the last batch may be smaller.
    """
    order = rng.permutation(len(lengths))
    together = batch_rows * _BATCHES_SORTED_TOGETHER
    known = np.asarray(lengths)
    batches: list[list[int]] = []
    for first in range(0, len(order), together):
        chosen = order[first : first + together]
        chosen = chosen[np.argsort(known[chosen], kind="stable")]
        batches += [
            chosen[at : at + batch_rows].tolist() for at in range(0, len(chosen), batch_rows)
        ]
    return [batches[index] for index in rng.permutation(len(batches))]


def micro_batches(
    rows: Sequence[TokenizedRow], batch_tokens: int, *, packed: bool
) -> list[list[TokenizedRow]]:
    """Split rows so that no part has more than `batch_tokens` tokens, or has one row."""
    parts: list[list[TokenizedRow]] = []
    widest = total = 0
    for row in sorted(rows, key=lambda row: len(row.token_ids)):
        length = len(row.token_ids)
        widest, total = max(widest, length), total + length
        size = total if packed else widest * (len(parts[-1]) + 1 if parts else 1)
        if not parts or size > batch_tokens:
            parts.append([])
            widest = total = length
        parts[-1].append(row)
    return parts


def padded(rows: Sequence[TokenizedRow], max_tokens: int, pad_token_id: int) -> RowBatch:
    """One row of the tensors per row, padding at the right; rows are cut at `max_tokens`."""
    cut = [(row.token_ids[:max_tokens], row.is_learned[:max_tokens]) for row in rows]
    width = max(len(ids) for ids, _ in cut)
    input_ids = torch.full((len(cut), width), pad_token_id)
    mask = torch.zeros((len(cut), width), dtype=torch.int64)
    learned = torch.zeros((len(cut), width), dtype=torch.bool)
    for place, (ids, flags) in enumerate(cut):
        input_ids[place, : len(ids)] = torch.tensor(ids)
        mask[place, : len(ids)] = 1
        learned[place, : len(ids)] = torch.tensor(flags)
    positions = torch.arange(width).expand(len(cut), width).contiguous()
    return _batch(input_ids, positions, mask, learned)


def packed(rows: Sequence[TokenizedRow], max_tokens: int, dtype: torch.dtype) -> RowBatch:
    """All rows in one sequence, positions from zero in each, none seeing another."""
    cut = [(row.token_ids[:max_tokens], row.is_learned[:max_tokens]) for row in rows]
    input_ids = torch.tensor([[token for ids, _ in cut for token in ids]])
    # The first token of a row is prompt and never learned, so no row predicts the next one's.
    learned = torch.tensor([[flag for _, flags in cut for flag in flags]])
    positions = torch.cat([torch.arange(len(ids)) for ids, _ in cut])[None]
    owner = torch.repeat_interleave(torch.tensor([len(ids) for ids, _ in cut]))
    places = torch.arange(len(owner))
    sees = (owner[:, None] == owner[None, :]) & (places[:, None] >= places[None, :])
    mask = torch.zeros(sees.shape, dtype=dtype).masked_fill(~sees, torch.finfo(dtype).min)
    return _batch(input_ids, positions, mask[None, None], learned)


def _batch(input_ids: Tensor, positions: Tensor, mask: Tensor, learned: Tensor) -> RowBatch:
    predicts = torch.zeros_like(learned)
    predicts[:, :-1] = learned[:, 1:]
    return RowBatch(
        input_ids=input_ids,
        position_ids=positions,
        attention_mask=mask,
        predicts=predicts,
        targets=input_ids[:, 1:][learned[:, 1:]],
    )
