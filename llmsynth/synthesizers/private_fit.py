"""A synthesizer's private fit: from a raw table to its attributes, journal and provenance."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from llmsynth.bundle.owner import lasting
from llmsynth.errors import SettingsError
from llmsynth.privacy import journal
from llmsynth.privacy.ledger import KEY
from llmsynth.privacy.noise_source import NoiseSource
from llmsynth.privacy.settings import PrivacySettings, default_delta
from llmsynth.progress import Progress
from llmsynth.synthesizers.compact_learner import CompactLearner
from llmsynth.synthesizers.learning import own_torch_state
from llmsynth.synthesizers.preparation import usual_order
from llmsynth.synthesizers.private_checkpoint import PrivateCheckpoint
from llmsynth.synthesizers.private_learning import PrivateFit, TextTraining, learn_privately
from llmsynth.synthesizers.private_sizes import PrivateSizes

if TYPE_CHECKING:
    from llmsynth.synthesizers.synthesizer import Synthesizer

_NEXT_STREAM = 2**40
_PACKAGES = ("llmsynth", "torch", "transformers", "pyarrow", "numpy", "dp-accounting", "opacus")


def fit_privately(
    synthesizer: Synthesizer, table: pa.Table, folder: Path | None, progress: Progress
) -> None:
    """Fit `table` within the synthesizer's privacy settings and set its attributes.

    With a folder, its journal first says that this fit starts; earlier ones go into the ledger.

    Raises:
        SettingsError: a setting that only a fit without differential privacy has.
        PrivacyError: the claim cannot be made.
        TableError, SchemaError: the table or schema cannot be learned as it stands.
    """
    settings = synthesizer.privacy
    assert settings is not None
    _refuse_unbounded(synthesizer)
    texts = None
    checkpoint = _checkpoint(synthesizer, folder)
    goes_on = checkpoint is not None and checkpoint.can_go_on
    kept = None if folder is None else lasting(folder)
    times = journal.times_taken_up(kept) + 1 if kept is not None and goes_on else 0
    source = NoiseSource(_seed(settings, times))
    if synthesizer.model != "compact":
        # Reaches transformers and peft, which take seconds to load.
        from llmsynth.synthesizers.private_text import PrivateTexts, refuse_all_but_joint

        refuse_all_but_joint(synthesizer.schema, synthesizer.text)
        texts = PrivateTexts(
            table,
            synthesizer.model,
            synthesizer.text,
            seed=synthesizer.seed,
            source=source,
            progress=progress,
        )
    started = time.perf_counter()
    earlier = []
    if kept is not None:
        delta = settings.delta or default_delta(table.num_rows)
        earlier = journal.take_up(kept) if goes_on else journal.begin(kept, settings, delta)
    with own_torch_state():
        fit = learn_privately(
            table,
            synthesizer.schema,
            settings,
            target=synthesizer.target,
            drop_text=synthesizer.drop_text,
            texts=None if texts is None else TextTraining(sizes=texts.sizes, learn=texts.learn),
            source=source,
            seed=synthesizer.seed,
            sizes=lambda sizes: _overridden(synthesizer, sizes),
            earlier_attempts=earlier,
            checkpoint=checkpoint,
            progress=progress,
        )
    compact = CompactLearner(
        model=fit.model,
        language=fit.language,
        flat=fit.flat,
        order=usual_order(fit.language, synthesizer.target),
    )
    synthesizer.learner_ = compact if texts is None else texts.learner(compact)
    synthesizer.training_ = fit.report
    synthesizer.fit_seconds_ = time.perf_counter() - started
    synthesizer.provenance_ = _provenance(synthesizer, fit)
    synthesizer.record_key_ = None
    # In this order: a fit that is cut off in between counts as one that never finished.
    if checkpoint is not None:
        checkpoint.remove()
    if kept is not None:
        journal.finish(kept)


def _checkpoint(synthesizer: Synthesizer, folder: Path | None) -> PrivateCheckpoint | None:
    """Where the fit can be taken up again; none for texts, whose training starts anew."""
    if folder is None or synthesizer.model != "compact":
        return None
    settings, schema = synthesizer.privacy, synthesizer.schema
    assert settings is not None
    facts = {
        "version": version("llmsynth"),
        "privacy": asdict(settings),
        "schema": None if schema is None else schema.to_json(),
        "target": synthesizer.target,
        "drop_text": synthesizer.drop_text,
        "seed": synthesizer.seed,
        "sizes": [synthesizer.hidden_size, synthesizer.num_layers, synthesizer.batch_rows],
    }
    text = json.dumps(facts, sort_keys=True)
    return PrivateCheckpoint(folder, hashlib.sha256(text.encode()).hexdigest())


def _seed(settings: PrivacySettings, times_taken_up: int) -> int | None:
    """A seed of another stream each time a fit goes on: no noise may be used twice."""
    seed = settings.insecure_seed
    return None if seed is None else seed + times_taken_up * _NEXT_STREAM


def _refuse_unbounded(synthesizer: Synthesizer) -> None:
    if synthesizer.max_minutes is not None or synthesizer.max_epochs is not None:
        raise SettingsError(
            "A private fit takes a number of steps that is fixed beforehand: max_minutes and "
            "max_epochs cannot be used with epsilon."
        )


def _overridden(synthesizer: Synthesizer, sizes: PrivateSizes) -> PrivateSizes:
    return replace(
        sizes,
        hidden_size=synthesizer.hidden_size or sizes.hidden_size,
        num_layers=synthesizer.num_layers or sizes.num_layers,
        expected_units=synthesizer.batch_rows or sizes.expected_units,
    )


def _provenance(synthesizer: Synthesizer, fit: PrivateFit) -> dict[str, object]:
    """The record of a private fit: no hash of the data, no exact count, no loss."""
    released, report = fit.statistics.released, fit.report
    return {
        "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "data": {
            "rows": released.num_rows,
            "columns": len(fit.language.codes),
            "dropped_text": list(released.left_out),
        },
        "versions": {package: version(package) for package in _PACKAGES},
        "settings": {
            "model": synthesizer.model,
            "target": synthesizer.target,
            "seed": synthesizer.seed,
        },
        "model": synthesizer.learner_.facts(),
        "training": {
            "steps": report.steps,
            "epochs": report.epochs,
            "stopped": report.stopped,
            "held_out_loss": None,
        },
        "fit_seconds": round(synthesizer.fit_seconds_, 2),
        "protected": None,
        KEY: fit.ledger.to_json(),
        "privacy": _sentence(fit),
    }


def _sentence(fit: PrivateFit) -> str:
    settings = fit.ledger.settings
    unit = "row" if settings.entity is None else f"entity of {settings.entity!r}"
    return (
        f"Differential privacy for one {unit}: epsilon {fit.ledger.spent().epsilon:.3g} at delta "
        f"{fit.ledger.delta:g}; `llmsynth privacy DIR` says what that covers."
    )
