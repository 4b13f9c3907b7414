"""What a sampler hands back: rows of tokens, why each one ended, and what the mask cost it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from llmsynth.codec.token_automaton import TokenAutomaton
from llmsynth.engines.masked_draw import MaskedDraw
from llmsynth.engines.stop_reason import StopReason

PADDING = -1
"""Fills `token_ids` behind the end of a row."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GeneratedRows:
    """Rows in the order of their prefixes, on the CPU.

    Attributes:
        token_ids: int64 (n, longest), prefix and drawn tokens without the end-of-text token,
            padded with PADDING.
        lengths: int64 (n,), tokens per row.
        num_steps: int64 (n,), tokens drawn per row, the end-of-text token included.
        reasons: int64 (n,), `StopReason` of each row.
        removed_mass: float64 (n,), mean over a row's steps of the probability that the mask
            removed, at the sampling temperature and before top-p; NaN without steps.
        argmax_allowed: float64 (n,), share of a row's steps at which the likeliest token of all
            was allowed; NaN without steps.
        log_validity: float64 (n,), sum over a row's steps of the log of the probability that the
            mask left.
    """

    token_ids: Tensor
    lengths: Tensor
    num_steps: Tensor
    reasons: Tensor
    removed_mass: Tensor
    argmax_allowed: Tensor
    log_validity: Tensor

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.lengths)

    @property
    def finished(self) -> Tensor:
        """bool (n,), rows that are whole."""
        return self.reasons == StopReason.FINISHED

    def texts(self, automaton: TokenAutomaton) -> list[str]:
        """The rows' texts; that of an unfinished row is the beginning of one."""
        return [
            automaton.text(row[:length])
            for row, length in zip(self.token_ids.tolist(), self.lengths.tolist(), strict=True)
        ]

    def counts(self) -> dict[str, int]:
        """How many rows ended for each reason, named in lower case."""
        return {
            reason.name.lower(): int((self.reasons == reason).sum())
            for reason in StopReason
            if reason not in (StopReason.RUNNING, StopReason.ENGINE_FAILED)
        }

    def step_validity(self) -> float:
        """Share of all steps at which a token drawn without the mask would have been allowed.

        It is the expected share given the rows, which has less noise than drawing such tokens.
        """
        steps = self.num_steps.double()
        return float(1 - (self.removed_mass.nan_to_num() * steps).sum() / steps.sum())

    def row_validity(self) -> float:
        """Estimate of the probability that a row drawn without the mask would be valid.

        Masked draws have the probability p(row) / product of the kept masses, so the mean of that
        product over masked draws estimates the sum of p over valid rows without bias (importance
        sampling). Rows that a bound cut short count as invalid. With top-p below 1 it is an
        approximation; rows without steps are left out.
        """
        drawn = self.num_steps > 0
        weights = self.log_validity.exp() * self.finished
        return float(weights[drawn].mean())

    @classmethod
    def joined(cls, parts: Sequence[GeneratedRows]) -> GeneratedRows:
        """All rows of the parts, in order."""
        widest = max(part.token_ids.shape[1] for part in parts)
        padded = [_padded(part.token_ids, widest) for part in parts]
        others = [f.name for f in fields(cls) if f.name != "token_ids"]
        return cls(
            token_ids=torch.cat(padded),
            **{name: torch.cat([getattr(part, name) for part in parts]) for name in others},
        )


class RowRecorder:
    """Rows while they are being drawn.

    Attributes:
        reasons: int64 (n,), `StopReason` so far; written by whoever decides that a row is over.
    """

    def __init__(
        self, prefixes: Sequence[Sequence[int]], *, max_steps: int, device: torch.device
    ) -> None:
        num_rows = len(prefixes)
        self.reasons = torch.zeros(num_rows, dtype=torch.int64, device=device)
        self._prefixes = prefixes
        self._drawn = torch.full((num_rows, max_steps), PADDING, device=device)
        self._num_steps = torch.zeros_like(self.reasons)
        self._removed, self._argmax_allowed, self._log_kept = torch.zeros(
            3, num_rows, dtype=torch.float64, device=device
        )

    def record(self, step: int, rows: Tensor, draw: MaskedDraw, *, is_text: Tensor) -> None:
        """Note one step of some rows.

        Args:
            rows: int64 (k,).
            is_text: bool (k,), false for the end-of-text token, which is not kept.
        """
        self._drawn[rows, step] = draw.tokens.where(is_text, PADDING)
        self._num_steps[rows] += 1
        self._removed[rows] -= draw.log_kept.expm1()
        self._argmax_allowed[rows] += draw.argmax_allowed.double()
        self._log_kept[rows] += draw.log_kept

    def closed(self) -> GeneratedRows:
        """The rows as they stand."""
        token_ids, lengths = _behind_prefixes(self._prefixes, self._drawn.cpu())
        steps = self._num_steps.cpu()
        return GeneratedRows(
            token_ids=token_ids,
            lengths=lengths,
            num_steps=steps,
            reasons=self.reasons.cpu(),
            removed_mass=self._removed.cpu() / steps,
            argmax_allowed=self._argmax_allowed.cpu() / steps,
            log_validity=self._log_kept.cpu(),
        )


def _behind_prefixes(prefixes: Sequence[Sequence[int]], drawn: Tensor) -> tuple[Tensor, Tensor]:
    prefix_lengths = torch.tensor([len(prefix) for prefix in prefixes], dtype=torch.int64)
    lengths = prefix_lengths + (drawn != PADDING).sum(dim=1)
    width = int(lengths.max())
    padded = [[*prefix, *[PADDING] * (width - len(prefix))] for prefix in prefixes]
    token_ids = torch.tensor(padded, dtype=torch.int64)
    rows, steps = (drawn != PADDING).nonzero(as_tuple=True)
    token_ids[rows, prefix_lengths[rows] + steps] = drawn[rows, steps]
    return token_ids, lengths


def _padded(token_ids: Tensor, width: int) -> Tensor:
    return torch.nn.functional.pad(token_ids, (0, width - token_ids.shape[1]), value=PADDING)
