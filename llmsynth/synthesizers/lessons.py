"""Lessons for the target: rows the fitted model makes up, answered by a classifier."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch

from llmsynth.codec.column_code import SKIPPED
from llmsynth.codec.row_language import RowLanguage
from llmsynth.engines.compact_sampler import CompactSampler
from llmsynth.generation.conditions import Conditions
from llmsynth.generation.generator import Generator, SamplingSettings
from llmsynth.models.compact import CompactModel
from llmsynth.schema.columns import TextColumn
from llmsynth.synthesizers.preparation import Prepared, usual_order
from llmsynth.training.distillation import Lessons
from llmsynth.training.teacher import Teacher

_FEWEST_ROWS = 200
_MOST_CLASSES = 20
_RARE_CLASS_ROWS = 1000
_FEWEST_LESSONS, _MOST_LESSONS = 6_000, 20_000


def target_place(prepared: Prepared, target: str | None) -> int | None:
    """The place of a target that a classifier can teach; None where there is none.

    It has to be a label (one token, 2 to 20 classes), in at least 200 rows, and with a class rare
    enough for the model to miss: under 1,000 rows. Where every class has thousands, as in Adult,
    the classifier's answers on made-up rows served no better than the model's own.
    """
    if target is None or len(prepared.codes) < _FEWEST_ROWS:
        return None
    places = prepared.language.places(prepared.language.schema.names.index(target))
    typed = [code for code in prepared.language.codes if code.place_sizes]
    if len(places) != 1 or len(typed) < 2:
        return None
    used = prepared.codes[:, places.start]
    counts = np.unique(used[used >= 0], return_counts=True)[1]
    if not 2 <= len(counts) <= _MOST_CLASSES or counts.min() >= _RARE_CLASS_ROWS:
        return None
    return int(places.start)


def make_lessons(
    model: CompactModel,
    prepared: Prepared,
    target: str,
    place: int,
    *,
    seed: int,
    dtype: torch.dtype,
) -> Lessons:
    """Rows drawn from `model`, each with P(target | rest) by a classifier of the real rows."""
    language = prepared.language
    labels = prepared.codes[:, place].astype(np.int64)
    known = labels >= 0
    teacher = Teacher(
        prepared.protected.table.filter(pa.array(known)),
        language.schema,
        target,
        labels[known],
        int(language.place_sizes[place]),
    )
    sampler = CompactSampler(model, language, flat_places=prepared.flat, dtype=dtype)
    settings = SamplingSettings(seed=seed + 99)
    generator = Generator(sampler, usual_order(language, target), settings, Conditions(language))
    count = min(max(2 * len(labels), _FEWEST_LESSONS), _MOST_LESSONS)
    rows = pa.concat_tables(list(generator.chunks(count)))
    texts = [
        column.name
        for column in language.schema.columns
        if isinstance(column, TextColumn) and not column.pieces
    ]
    typed = RowLanguage(language.schema.without(texts))  # of the same places: these have none
    codes = typed.encode(rows.drop_columns(texts))
    codes[:, sorted(prepared.flat)] = SKIPPED
    return Lessons(
        codes=torch.from_numpy(codes).long(), answers=torch.from_numpy(teacher.probabilities(rows))
    )
