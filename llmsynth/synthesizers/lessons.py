"""Which targets can be taught, and the rows that the fitted model makes up for it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from llmsynth.codec.column_code import SKIPPED
from llmsynth.codec.row_language import RowLanguage
from llmsynth.engines.compact_sampler import CompactSampler
from llmsynth.generation.conditions import Conditions
from llmsynth.generation.generator import Generator, SamplingSettings
from llmsynth.models.compact import CompactModel
from llmsynth.schema.columns import TextColumn
from llmsynth.synthesizers.preparation import Prepared, usual_order

_FEWEST_ROWS = 200
_MOST_CLASSES = 20


def target_place(prepared: Prepared, target: str | None) -> int | None:
    """The place of a target that a classifier can teach; None where there is none.

    It has to be a label (one token, 2 to 20 classes of any size), in at least 200 rows. A number of
    more values is learned as the other columns are. Under context that is only ever given the
    model draws no rows of its own, so there is nothing to teach it by.
    """
    if target is None or len(prepared.codes) < _FEWEST_ROWS or prepared.context:
        return None
    places = prepared.language.places(prepared.language.schema.names.index(target))
    typed = [code for code in prepared.language.codes if code.place_sizes]
    if len(places) != 1 or len(typed) < 2:
        return None
    used = prepared.codes[:, places.start]
    if not 2 <= len(np.unique(used[used >= 0])) <= _MOST_CLASSES:
        return None
    return int(places.start)


def made_up_rows(
    model: CompactModel,
    prepared: Prepared,
    target: str,
    count: int,
    *,
    seed: int,
    dtype: torch.dtype,
) -> tuple[pa.Table, Tensor]:
    """Rows drawn from `model`, as a table and as codes: int64 (rows, places)."""
    language = prepared.language
    sampler = CompactSampler(model, language, flat_places=prepared.flat, dtype=dtype)
    settings = SamplingSettings(seed=seed)
    order = usual_order(language, target)
    generator = Generator(sampler, order, settings, Conditions(language), makes_people=False)
    rows = pa.concat_tables(list(generator.chunks(count)))
    texts = [
        column.name
        for column in language.schema.columns
        if isinstance(column, TextColumn) and not column.pieces
    ]
    typed = RowLanguage(language.schema.without(texts))  # of the same places: these have none
    codes = typed.encode(rows.drop_columns(texts))
    codes[:, sorted(prepared.flat)] = SKIPPED
    return rows, torch.from_numpy(codes).long()
