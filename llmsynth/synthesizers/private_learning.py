"""Fits a compact model under differential privacy: released counts, format stage, private steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import torch

from llmsynth.codec.row_language import RowLanguage
from llmsynth.models.compact import CompactModel, CompactShape
from llmsynth.models.curves import CurvedModel
from llmsynth.models.precision import fastest_dtype
from llmsynth.privacy.ledger import Ledger, allot
from llmsynth.privacy.metadata import is_declared
from llmsynth.privacy.noise_source import NoiseSource
from llmsynth.privacy.settings import PrivacySettings, default_delta
from llmsynth.progress import Progress, silent
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.curve_choice import curves, log_marginals
from llmsynth.synthesizers.preparation import usual_order
from llmsynth.synthesizers.private_checkpoint import PrivateCheckpoint
from llmsynth.synthesizers.private_sizes import (
    PrivateSizes,
    TextSizes,
    TrainingPlan,
    plan_training,
    private_sizes,
)
from llmsynth.synthesizers.private_statistics import PrivateStatistics, gather, units_of
from llmsynth.training.loop import Trainer, TrainingReport
from llmsynth.training.private_gradients import CompactUnitGradients
from llmsynth.training.private_loop import (
    PrivateTrainer,
    PrivateTrainingSettings,
    StepPosition,
)
from llmsynth.training.sequences import Shuffler
from llmsynth.training.settings import TrainingSettings

METADATA_SHARE, _DECLARED_SHARE = 0.3, 0.1
"""Share of the released statistics' budget that goes to the schema's values; where all of them are
declared, repeated numbers and the number of rows are left to release."""
PUBLIC_OF_TEXTS = (
    "the pretrained model, whatever it has read before it came here",
    "which columns are free text and how long their texts may be, in the schema file",
)
_NONE_GIVEN_SHARE = 0.5
_TARGET_WEIGHT = 2.0
_FORMAT_EPOCHS = 4.0
_LEAST_OWN_PART = 0.2
"""What the private figures were measured with (see `models.curves.own_parts`)."""


@dataclass(frozen=True, kw_only=True)
class TextTraining:
    """How a language model learns a table's texts, after the compact model.

    sizes: from the noisy number of units.
    learn: given what was read, training settings and sampling rate; returns the steps taken.
    """

    sizes: Callable[[int], TextSizes]
    learn: Callable[[PrivateStatistics, PrivateTrainingSettings, float], int]


@dataclass(frozen=True, kw_only=True)
class PrivateFit:
    """What a private fit made."""

    model: CompactModel
    language: RowLanguage
    flat: frozenset[int]
    report: TrainingReport
    ledger: Ledger
    statistics: PrivateStatistics


def learn_privately(
    table: pa.Table,
    schema: TableSchema | None,
    settings: PrivacySettings,
    *,
    target: str | None,
    drop_text: bool = False,
    texts: TextTraining | None = None,
    seed: int = 0,
    sizes: Callable[[PrivateSizes], PrivateSizes] | None = None,
    earlier_attempts: Sequence[Mapping[str, object]] = (),
    checkpoint: PrivateCheckpoint | None = None,
    source: NoiseSource | None = None,
    progress: Progress = silent,
) -> PrivateFit:
    """Fit a table so that `settings` hold for everything that comes out.

    Args:
        texts: what learns the free texts; without it they are refused, or left out.
        source: of all noise; the settings' own when omitted.
        checkpoint: where a fit that was cut off goes on from, without releasing anything again.
        sizes: changes the sizes chosen from the noisy number of units; must not look at data.

    Raises:
        PrivacyError: the accountants disagree, or the budget cannot be met.
        TableError, SchemaError: the table or schema cannot be learned as it stands.
    """
    started = time.perf_counter()
    source = source or NoiseSource(settings.insecure_seed)
    units = units_of(table, settings, source)
    delta = settings.delta or default_delta(units.count)
    allotment = allot(settings, delta, metadata_share=_metadata_share(schema))
    saved = None if checkpoint is None else checkpoint.load(table, units)
    statistics = saved or gather(
        table,
        schema,
        units,
        settings,
        allotment,
        source,
        target=target,
        drop_text=drop_text,
        keep_text=texts is not None,
        seed=seed,
    )
    if checkpoint is not None and saved is None:
        checkpoint.save_release(statistics)
    chosen = private_sizes(statistics.num_units)
    if sizes is not None:
        chosen = sizes(chosen)
    plan = plan_training(
        settings,
        delta - allotment.key_delta,
        statistics.parts,
        statistics.num_units,
        chosen,
        None if texts is None else texts.sizes(statistics.num_units),
    )
    ledger = _ledger(settings, delta, allotment.key_delta, statistics, plan)
    ledger = replace(ledger, earlier_attempts=tuple(earlier_attempts))
    # Refuses before a row is trained on, not after.
    ledger.spent()
    position = None if checkpoint is None else checkpoint.load_step()
    is_taught = settings.format_stage and position is None
    model = _format_stage(statistics, target, chosen, seed, is_taught=is_taught)
    steps = _private_steps(
        model,
        statistics,
        plan,
        target=target,
        seed=seed,
        source=source,
        progress=progress,
        checkpoint=checkpoint,
        position=position,
    )
    done = {"training": steps}
    if texts is not None and plan.text is not None:
        done["training on texts"] = texts.learn(statistics, plan.text, plan.text_rate)
    report = TrainingReport(
        steps=steps,
        epochs=round(steps * plan.rate, 2),
        seconds=round(time.perf_counter() - started, 2),
        train_loss=float("nan"),
        held_out_loss=float("nan"),
        stopped="schedule" if steps == plan.compact.steps else "interrupted",
    )
    return PrivateFit(
        model=model.folded(),
        language=statistics.language,
        flat=statistics.flat,
        report=report,
        ledger=_with_steps(ledger, done),
        statistics=statistics,
    )


def _metadata_share(schema: TableSchema | None) -> float:
    if schema is None:
        return METADATA_SHARE
    open_columns = sum(not is_declared(column) for column in schema.columns)
    share = open_columns / max(len(schema.columns), 1)
    return _DECLARED_SHARE + share * (METADATA_SHARE - _DECLARED_SHARE)


def _ledger(
    settings: PrivacySettings,
    delta: float,
    key_delta: float,
    statistics: PrivateStatistics,
    plan: TrainingPlan,
) -> Ledger:
    """What a fit that takes all its steps will have spent."""
    return Ledger(
        settings=settings,
        delta=delta,
        parts={**statistics.parts, **plan.mechanisms},
        key_delta=key_delta,
        clipping_norm=plan.compact.clipping_norm,
        expected_units=plan.compact.expected_units,
        steps_planned=plan.compact.steps,
        public=(*statistics.public, *(() if plan.text is None else PUBLIC_OF_TEXTS)),
        left_out=statistics.released.left_out,
    )


def _private_steps(
    model: CurvedModel,
    statistics: PrivateStatistics,
    plan: TrainingPlan,
    *,
    target: str | None,
    seed: int,
    source: NoiseSource,
    progress: Progress,
    checkpoint: PrivateCheckpoint | None,
    position: StepPosition | None,
) -> int:
    """Train the model on the rows themselves; returns the steps taken."""
    gradients = CompactUnitGradients(
        model,
        _shuffler(statistics, target, model.shape),
        _place_weights(statistics.language, target),
        seed=seed,
    )
    trainer = PrivateTrainer(
        gradients,
        torch.from_numpy(statistics.codes).long(),
        statistics.units,
        sampling_rate=plan.rate,
        settings=plan.compact,
        source=source,
        progress=progress,
        keeper=checkpoint,
    )
    if checkpoint is not None:
        trainer.restore(position, checkpoint.next_step())
    return trainer.run()


def _with_steps(ledger: Ledger, done: Mapping[str, int]) -> Ledger:
    """The ledger of a fit that Ctrl-C ended: what was not done was not spent."""
    parts = {
        name: replace(part, count=done[name]) if name in done else part
        for name, part in ledger.parts.items()
        if done.get(name, 1)
    }
    return replace(ledger, parts=parts)


def _format_stage(
    statistics: PrivateStatistics,
    target: str | None,
    sizes: PrivateSizes,
    seed: int,
    *,
    is_taught: bool,
) -> CurvedModel:
    """A model that has learned rows drawn from the released counts, or is about to be restored."""
    codes = torch.from_numpy(statistics.drawn).long()
    language = statistics.language
    place_sizes = tuple(int(size) for size in language.place_sizes)
    shape = CompactShape(
        hidden_size=sizes.hidden_size,
        num_layers=sizes.num_layers,
        num_heads=max(sizes.hidden_size // 32, 1),
        intermediate_size=2 * sizes.hidden_size,
        place_sizes=place_sizes,
    )
    torch.manual_seed(seed)
    model = CurvedModel(shape, *curves(language, codes, least_own=_LEAST_OWN_PART))
    if not is_taught:
        return model
    model.start_at_marginals(log_marginals(codes, shape))
    Trainer(
        model=model,
        codes=codes,
        shuffler=_shuffler(statistics, target, shape),
        weights=torch.ones(len(place_sizes)),
        settings=TrainingSettings(max_epochs=_FORMAT_EPOCHS, seed=seed),
        dtype=fastest_dtype(),
    ).run()
    return model


def _shuffler(statistics: PrivateStatistics, target: str | None, shape: CompactShape) -> Shuffler:
    language = statistics.language
    return Shuffler(
        shape.place_sizes,
        torch.from_numpy(language.place_columns),
        shape.begin_token,
        usual_order=torch.tensor(usual_order(language, target)),
        none_given_share=_NONE_GIVEN_SHARE,
    )


def _place_weights(language: RowLanguage, target: str | None) -> torch.Tensor:
    weights = torch.ones(len(language.place_sizes))
    if target is not None:
        places = language.places(language.schema.names.index(target))
        weights[places.start : places.stop] = _TARGET_WEIGHT
    return weights
