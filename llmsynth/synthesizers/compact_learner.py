"""The compact model as a learner: trained from scratch on typed columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

import pyarrow as pa

from llmsynth.bundle.bundle import Bundle
from llmsynth.bundle.owner import OwnerFolder
from llmsynth.codec.row_language import RowLanguage
from llmsynth.engines.compact_sampler import CompactSampler, block_rows
from llmsynth.errors import BundleError
from llmsynth.generation.conditions import Conditions
from llmsynth.generation.generator import Generator, SamplingSettings
from llmsynth.generation.text_guard import CopyRate, TextGuard
from llmsynth.models.compact import CompactModel, CompactShape
from llmsynth.models.llama_checkpoint import from_llama, llama_config, to_llama
from llmsynth.models.precision import fastest_dtype
from llmsynth.progress import Progress, silent
from llmsynth.schema.columns import TextColumn
from llmsynth.synthesizers.learner import FitPlan, Given
from llmsynth.synthesizers.learning import Overrides, learn, own_torch_state
from llmsynth.synthesizers.preparation import Prepared, usual_order
from llmsynth.training.loop import TrainingReport

_PROBED_ROWS = 1000
"""Drawn after a fit to see how often texts are replayed."""


@dataclass(frozen=True, kw_only=True)
class CompactLearner:
    """A trained compact model and what its sampler needs.

    flat: places drawn evenly without asking the model.
    order: column indices as rows are written when nothing is given.
    """

    model: CompactModel
    language: RowLanguage
    flat: frozenset[int]
    order: list[int]
    guard: TextGuard | None = None
    """What keeps rare training texts from being replayed; not a part of the bundle."""
    copy_rates: Mapping[str, CopyRate] = field(default_factory=dict)
    """Of each spelled column, as measured without the guard when it was learned."""

    @classmethod
    def fit(
        cls, prepared: Prepared, plan: FitPlan, overrides: Overrides
    ) -> tuple[Self, TrainingReport]:
        """Train a compact model on prepared rows.

        Raises:
            TrainingError: the training diverged.
        """
        with own_torch_state():
            model, report = learn(
                prepared,
                target=plan.target,
                seed=plan.seed,
                overrides=overrides,
                folder=plan.folder,
                progress=plan.progress,
                processes=plan.processes,
                launcher=plan.launcher,
            )
        order = usual_order(prepared.language, plan.target, prepared.context)
        learner = cls(model=model, language=prepared.language, flat=prepared.flat, order=order)
        guard, rates = _guard(learner, prepared, plan.seed)
        return replace(learner, guard=guard, copy_rates=rates), report

    @property
    def block_rows(self) -> int:
        """Rows drawn together; see `Learner.block_rows`."""
        return block_rows(self.model.shape)

    def run(self, given: Given, settings: SamplingSettings, progress: Progress) -> Generator:
        """Begin to draw rows; see `Learner.run`."""
        conditions = Conditions(self.language, where=given.where, given=given.table)
        sampler = CompactSampler(
            self.model, self.language, flat_places=self.flat, dtype=fastest_dtype()
        )
        return Generator(sampler, self.order, settings, conditions, progress, self.guard)

    def save(
        self, folder: Path, *, settings: Mapping[str, object], record: Mapping[str, object]
    ) -> None:
        """Write a bundle; see `Learner.save`."""
        own = {"order": self.order, "flat_places": sorted(self.flat), **settings}
        Bundle(
            tensors=to_llama(self.model),
            config={**llama_config(self.model.shape), "llmsynth": own},
            vocabulary=self.language.vocabulary(),
            schema=self.language.schema,
            provenance=record,
        ).save(folder)

    @property
    def memorization_guard(self) -> str | None:
        """Whether rare spelled texts are held back; see `Learner.memorization_guard`."""
        columns = self.language.schema.columns
        if not any(isinstance(c, TextColumn) and c.pieces and not c.invented for c in columns):
            return None
        return "absent" if self.guard is None else "present"

    def save_guard(self, owner: OwnerFolder) -> None:
        """Write the guard of spelled texts; see `Learner.save_guard`."""
        if self.guard is not None:
            owner.make(owner.guard)
            self.guard.save(owner.guard)

    def facts(self) -> dict[str, object]:
        """Shape and size; see `Learner.facts`."""
        return {
            **{
                k: v
                for k, v in asdict(self.model.shape).items()
                if k not in ("place_sizes", "place_owners")
            },
            "parameters": sum(weight.numel() for weight in self.model.parameters()),
        }

    @classmethod
    def load(cls, bundle: Bundle, folder: Path) -> Self:
        """The learner back from its bundle.

        Raises:
            BundleError: the bundle is broken.
        """
        config = bundle.config
        own = config.get("llmsynth")
        if not isinstance(own, dict):
            raise BundleError(f"{folder}: config.json was not written by llmsynth.")
        try:
            language = RowLanguage(bundle.schema)
            shape = CompactShape(
                hidden_size=int(str(config["hidden_size"])),
                num_layers=int(str(config["num_hidden_layers"])),
                num_heads=int(str(config["num_attention_heads"])),
                intermediate_size=int(str(config["intermediate_size"])),
                place_sizes=tuple(int(size) for size in language.place_sizes),
                place_owners=language.place_owners,
            )
            order = [int(column) for column in own["order"]]
            flat = frozenset(int(place) for place in own["flat_places"])
        except (KeyError, ValueError, TypeError) as error:
            raise BundleError(f"{folder}: config.json lacks or breaks {error}.") from error
        if shape.num_heads < 1 or shape.hidden_size % shape.num_heads:
            raise BundleError(f"{folder}: config.json asks for {shape.num_heads} attention heads.")
        model = from_llama(shape, dict(bundle.tensors))
        owner = OwnerFolder.of(folder)
        guard = TextGuard.load(owner.guard) if language.place_owners else None
        return cls(model=model, language=language, flat=flat, order=order, guard=guard)


def _guard(
    learner: CompactLearner, prepared: Prepared, seed: int
) -> tuple[TextGuard | None, dict[str, CopyRate]]:
    """A guard that lets through what coincidence explains, and the rates it was set by."""
    found = prepared.texts.spelled if prepared.texts is not None else {}
    # A form of names tells of nobody: who it is about is made up afterwards.
    spelled = {name: own for name, own in found.items() if not own.column.invented}
    if not spelled:
        return None, {}
    guard = TextGuard.of({name: own.rare for name, own in spelled.items()})
    rows = None
    if not prepared.context:  # without which nothing can be drawn
        run = learner.run(Given(where={}, table=None), SamplingSettings(seed=seed + 7), silent)
        rows = pa.concat_tables(list(run.chunks(_PROBED_ROWS)))
    rates = {}
    for name, own in spelled.items():
        drawn = 1.0 if rows is None else _copied(guard, own.column, rows[name].to_pylist())
        rates[name] = CopyRate(drawn=drawn, coincidence=own.coincidence)
    return guard.allowing(rates), rates


def _copied(guard: TextGuard, column: TextColumn, cells: Sequence[object]) -> float:
    """The share of spelled cells that are rare training texts."""
    common = set(column.common)
    spelled = [text for text in cells if text is not None and text not in common]
    return float(guard.knows(column.name, spelled).mean()) if spelled else 0.0
