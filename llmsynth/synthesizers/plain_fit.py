"""A synthesizer's fit without differential privacy: from a raw table to its attributes."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from llmsynth.bundle.owner import new_key
from llmsynth.errors import TooLittleLearnedWarning
from llmsynth.progress import Progress, silent
from llmsynth.schema.columns import TextColumn
from llmsynth.synthesizers.compact_learner import CompactLearner
from llmsynth.synthesizers.decisions import Decisions, decisions
from llmsynth.synthesizers.learner import FitPlan, Learner
from llmsynth.synthesizers.learning import Overrides
from llmsynth.synthesizers.personal_columns import without_personal_data
from llmsynth.synthesizers.preparation import Prepared, prepare
from llmsynth.synthesizers.provenance import provenance
from llmsynth.training.launching import Launcher
from llmsynth.training.loop import TrainingReport
from llmsynth.training.schedule import ENOUGH, TOO_LITTLE

if TYPE_CHECKING:
    from llmsynth.synthesizers.synthesizer import Synthesizer

COMPACT = "compact"
_COMPACT_SHARE = 0.25
"""Most of a time budget that the compact model gets where a pretrained one learns the texts."""


def fit_plainly(
    synthesizer: Synthesizer,
    table: pa.Table,
    overrides: Overrides,
    *,
    folder: Path | None,
    progress: Progress,
    entities: npt.NDArray[np.int64] | None,
    to_fill: Mapping[str, npt.NDArray[np.bool_]] | None,
    launcher: Launcher | None,
    started: float,
    decided: Callable[[Decisions], None] | None = None,
) -> None:
    """Fit `table` as the synthesizer is set and set its attributes; see `Synthesizer.fit`.

    Args:
        started: `time.perf_counter()` when the fit began; its time budget counts from there.
        decided: told what becomes of each column, before anything is learned.
    """
    learnable = without_personal_data(
        table,
        synthesizer.schema,
        choice=synthesizer.personal_data,
        target=synthesizer.target,
        fixed=synthesizer.context,
        search_texts=synthesizer.model != COMPACT and not synthesizer.drop_text,
        seed=synthesizer.seed,
        # Under context, real rows are read again beside drawn ones: there pseudonyms are learned.
        invent=synthesizer.model == COMPACT
        and not synthesizer.drop_text
        and not synthesizer.context
        and not to_fill,
        declared=synthesizer.personal,
    )
    prepared = prepare(
        learnable.table,
        learnable.schema,
        target=synthesizer.target,
        keep_rare=synthesizer.keep_rare,
        drop_text=synthesizer.drop_text,
        keep_text=synthesizer.model != COMPACT,
        context=synthesizer.context,
        entities=entities,
        to_fill=to_fill,
        find_rules=synthesizer.find_rules and synthesizer.schema is None,
    )
    found = decisions(table, prepared, personal=learnable.record)
    if decided is not None:
        decided(found)
    plan = FitPlan(
        target=synthesizer.target,
        seed=synthesizer.seed,
        max_minutes=_minutes_left(synthesizer, started),
        max_epochs=synthesizer.max_epochs,
        folder=folder,
        progress=progress,
        processes=synthesizer.text.processes,
        launcher=launcher,
    )
    learned = _learn(synthesizer, prepared, plan, overrides, started)
    synthesizer.learner_, synthesizer.training_ = learned
    if synthesizer.training_.trained == TOO_LITTLE:
        told = too_little_words(synthesizer.training_.steps, synthesizer.training_.epochs)
        warnings.warn(told, TooLittleLearnedWarning, stacklevel=3)
    synthesizer.fit_seconds_ = time.perf_counter() - started
    synthesizer.record_key_ = key = new_key()
    record = {**provenance(synthesizer, prepared, key), "personal_data": learnable.record}
    record["decided"] = found.to_json()
    synthesizer.provenance_ = record


def _learn(
    synthesizer: Synthesizer,
    prepared: Prepared,
    plan: FitPlan,
    overrides: Overrides,
    started: float,
) -> tuple[Learner, TrainingReport]:
    if synthesizer.model == COMPACT:
        overrides = replace(overrides, max_minutes=plan.max_minutes)
        return CompactLearner.fit(prepared, plan, overrides)
    # Reaches transformers and peft, which take seconds to load.
    from llmsynth.synthesizers.text_fitting import fit_text

    text = synthesizer.text
    has_texts = any(isinstance(c, TextColumn) for c in prepared.language.schema.columns)
    compact, trained = None, ENOUGH
    if text.path == "joint" and has_texts and len(prepared.language.place_sizes):
        minutes = plan.max_minutes and plan.max_minutes * _COMPACT_SHARE
        part = replace(plan, folder=None, progress=silent)
        overrides = replace(overrides, max_minutes=minutes, max_epochs=None)
        compact, typed = CompactLearner.fit(prepared, part, overrides)
        trained = typed.trained
    plan = replace(plan, max_minutes=_minutes_left(synthesizer, started))
    learner, report = fit_text(prepared, plan, synthesizer.model, text, compact)
    return learner, report if trained == ENOUGH else replace(report, trained=trained)


def too_little_words(steps: int, epochs: float) -> str:
    """What a person is told of a fit that a time limit ended too early."""
    return (
        f"Too little learned: the time limit came after {steps:,} steps, {epochs:.2f} passes over "
        "the rows; the model knows little more than each column by itself. Give more max_minutes "
        "(--max-minutes), or fewer rows or columns."
    )


def _minutes_left(synthesizer: Synthesizer, started: float) -> float | None:
    if synthesizer.max_minutes is None:
        return None
    return max(synthesizer.max_minutes - (time.perf_counter() - started) / 60, 0.01)
