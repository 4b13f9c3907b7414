"""A synthesizer for a use: the one that was given, fitted first where it has learned nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.engines.mixed_orders import MixedOrderSampler
from llmsynth.errors import SettingsError
from llmsynth.generation.completion import Completer
from llmsynth.models.precision import fastest_dtype
from llmsynth.progress import Progress
from llmsynth.synthesizers.compact_learner import CompactLearner
from llmsynth.synthesizers.synthesizer import Synthesizer


def is_fitted(synthesizer: Synthesizer) -> bool:
    """Whether it has learned a table."""
    return hasattr(synthesizer, "learner_")


def fitted(
    synthesizer: Synthesizer,
    table: pa.Table,
    progress: Progress,
    *,
    to_fill: Mapping[str, npt.NDArray[np.bool_]] | None = None,
) -> Synthesizer:
    """The synthesizer, taught this table unless it has learned one already.

    Args:
        to_fill: see `Synthesizer.fit`; a private fit learns gaps as it always does.
    """
    if is_fitted(synthesizer):
        return synthesizer
    unknown = to_fill if synthesizer.privacy is None else None
    return synthesizer.fit(table, to_fill=unknown, progress=progress)


def completer(synthesizer: Synthesizer, *, may_miss: bool) -> Completer:
    """What completes rows of the table that it learned.

    Raises:
        SettingsError: a language model writes all of its columns.
    """
    learner = synthesizer.learner_
    # A language model's learner holds the compact one that writes its typed columns.
    compact = getattr(learner, "compact", learner)
    if not isinstance(compact, CompactLearner):
        raise SettingsError(
            "Cells are filled in by the compact model, and this synthesizer has none.",
            hint="Fit with model='compact', or with the text path `joint`.",
        )
    sampler = MixedOrderSampler(
        compact.model,
        compact.language,
        compact.order,
        flat_places=compact.flat,
        dtype=fastest_dtype(),
    )
    return Completer(sampler, may_miss=may_miss)
