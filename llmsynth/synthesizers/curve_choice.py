"""Which places of a row language get curves, and the marginals an untrained model starts from."""

from __future__ import annotations

import torch

from llmsynth.codec.row_language import RowLanguage
from llmsynth.models.compact import CompactShape
from llmsynth.models.curves import LEAST_OWN_PART, own_parts, rank_waves

_FEWEST_CURVED_TOKENS = 6


def curves(
    language: RowLanguage, codes: torch.Tensor, *, least_own: float = LEAST_OWN_PART
) -> tuple[dict[int, torch.Tensor], dict[int, torch.Tensor]]:
    """Waves and own parts of every used place whose tokens lie on the number line and are not few.

    Args:
        codes: int64 (rows, places), the rows whose counts rank the tokens.
        least_own: see `own_parts`.
    """
    waves, own = {}, {}
    for column, code in enumerate(language.codes):
        for index, place in enumerate(language.places(column)):
            values = code.token_values(index)
            used = codes[:, place][codes[:, place] >= 0]
            if values is not None and len(values) > _FEWEST_CURVED_TOKENS and len(used):
                counts = torch.bincount(used, minlength=len(values)).double().numpy()
                waves[place] = rank_waves(values, counts)
                own[place] = own_parts(counts, least_own)
    return waves, own


def log_marginals(codes: torch.Tensor, shape: CompactShape) -> list[torch.Tensor]:
    """Log shares of each place's tokens in the rows that use it, smoothed by a tenth of a row.

    Places that share tokens have one law, that of all of them.
    """
    sharing: dict[int, list[int]] = {}
    for place in range(len(shape.place_sizes)):
        sharing.setdefault(shape.owner(place), []).append(place)
    out = []
    for place, size in enumerate(shape.place_sizes):
        own = codes[:, sharing[shape.owner(place)]]
        used = own[own >= 0]
        counts = torch.bincount(used, minlength=size).float() + 0.1
        out.append((counts / counts.sum()).log())
    return out
