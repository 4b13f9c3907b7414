"""Fine-tunes a pretrained model on prepared rows and makes a learner of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

import torch
from peft import PeftModel

from llmsynth.codec.row_language import RowLanguage
from llmsynth.codec.row_tokens import CellTokens, RowTokens
from llmsynth.codec.span_hashes import SpanHashes
from llmsynth.models.precision import fastest_dtype
from llmsynth.models.pretrained import Pretrained, load_pretrained
from llmsynth.privacy.rare_values import DEFAULT_FLOOR
from llmsynth.schema.columns import IdentifierColumn, TextColumn
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.compact_learner import CompactLearner
from llmsynth.synthesizers.learner import FitPlan
from llmsynth.synthesizers.preparation import Prepared
from llmsynth.synthesizers.text_learner import TextLearner
from llmsynth.synthesizers.text_settings import TextSettings
from llmsynth.synthesizers.tuned_model import BaseModel, TunedModel
from llmsynth.training.launching import launch, run_place
from llmsynth.training.loop import TrainingReport
from llmsynth.training.lora import learned_weights
from llmsynth.training.row_orders import RowOrders
from llmsynth.training.run_folder import TuningRun, write_run
from llmsynth.training.tuning import tune, tune_in_processes
from llmsynth.training.tuning_settings import TuningSettings

_PIECE = 6
"""Tokens of a phrase: spans of the training texts made of usual phrases alone are not guarded."""


def fit_text(
    prepared: Prepared,
    plan: FitPlan,
    model: str,
    settings: TextSettings,
    compact: CompactLearner | None,
) -> tuple[TextLearner, TrainingReport]:
    """Fine-tune the pretrained model called `model` on prepared rows.

    Args:
        compact: what writes the typed columns; None where the pretrained model does.

    Raises:
        ModelError: there is no such model, or its context is too short for the table.
        TrainingError, OutOfMemoryError: the training failed.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    # A model whose weights are spread may be too large for one device.
    place = "cpu" if settings.tuning.shard_weights else device
    tuning = replace(
        settings.tuning,
        seed=plan.seed,
        max_minutes=plan.max_minutes,
        max_epochs=plan.max_epochs or settings.tuning.max_epochs,
    )
    base = load_pretrained(
        model, dtype=fastest_dtype(device), device=place, four_bit=tuning.four_bit
    )
    written = written_schema(prepared.language.schema)
    tokens = RowTokens(RowLanguage(written), base.tokenizer)
    cells = _cells(prepared, tokens)
    identity = BaseModel(name=model, sha256=base.fingerprint())
    with run_place(plan.folder) as folder:
        run = write_run(
            folder,
            base=str(base.folder),
            name=model,
            schema=written,
            orders=_orders(written, is_joint=compact is not None),
            settings=tuning,
            fingerprint=_fingerprint(prepared, tuning, identity, settings.path),
            cells=cells,
        )
        adapted, report = _tuned(run, base, settings.processes, plan)
    adapted.eval()
    parameters = sum(weight.numel() for weight in learned_weights(adapted).values())
    spans = _spans(cells, written, settings.copy_guard)
    learner = TextLearner(
        language=prepared.language,
        tuned=TunedModel(identity, folder=base.folder, four_bit=tuning.four_bit, model=adapted),
        tokenizer=base.tokenizer,
        compact=compact,
        spans=spans,
        is_guarded=spans is not None,
        settings=settings,
        parameters=parameters,
    )
    return learner, report


def written_schema(schema: TableSchema) -> TableSchema:
    """The columns that a language model writes: all but identifiers, which are re-invented."""
    return schema.without([c.name for c in schema.columns if isinstance(c, IdentifierColumn)])


def _tuned(
    run: TuningRun, base: Pretrained, processes: int, plan: FitPlan
) -> tuple[PeftModel, TrainingReport]:
    if processes == 1 and plan.launcher is None:
        return tune(run, base=base, progress=plan.progress)
    launcher = plan.launcher or launch
    report = tune_in_processes(run, processes, plan.progress, launcher=launcher)
    return PeftModel.from_pretrained(base.model, str(run.adapter), is_trainable=True), report


def _cells(prepared: Prepared, tokens: RowTokens) -> dict[str, Sequence[CellTokens]]:
    """Tokens of every cell; None for cells whose value too few rows hold."""
    protected = prepared.protected
    out: dict[str, Sequence[CellTokens]] = {}
    for name, column in tokens.cells(protected.table).items():
        left_out = protected.left_out.get(name)
        out[name] = (
            column
            if left_out is None
            else [None if gone else cell for cell, gone in zip(column, left_out, strict=True)]
        )
    return out


def _orders(schema: TableSchema, *, is_joint: bool) -> RowOrders:
    is_text = [isinstance(column, TextColumn) for column in schema.columns]
    return RowOrders(
        structured=tuple(index for index, text in enumerate(is_text) if not text),
        texts=tuple(index for index, text in enumerate(is_text) if text),
        is_joint=is_joint,
    )


def _spans(
    cells: Mapping[str, Sequence[CellTokens]], schema: TableSchema, copy_guard: int | None
) -> SpanHashes | None:
    names = [column.name for column in schema.columns if isinstance(column, TextColumn)]
    if copy_guard is None or not names:
        return None
    texts = [cell for name in names for cell in cells[name] if cell is not None]
    return SpanHashes.of(texts, length=copy_guard + 1, common_rows=DEFAULT_FLOOR, piece=_PIECE)


def _fingerprint(prepared: Prepared, settings: TuningSettings, base: BaseModel, path: str) -> str:
    facts = {
        "data": prepared.data_hash,
        "schema": prepared.language.schema.to_json(),
        "settings": asdict(replace(settings, max_minutes=None)),
        "base": base.sha256,
        "path": path,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
