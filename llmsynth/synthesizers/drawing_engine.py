"""The engine that a sampling run was asked to use: opened for it, and closed when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import pyarrow as pa

from llmsynth.engines.engine import RowEngine
from llmsynth.engines.engine_choice import EngineChoice
from llmsynth.errors import SettingsError
from llmsynth.generation.generator import SamplingSettings
from llmsynth.progress import Progress
from llmsynth.synthesizers.learner import Given, Learner, RowRun

EngineWish = EngineChoice | RowEngine | str | None
"""A choice or its kind, opened for one run; or an open engine, which stays open."""


@runtime_checkable
class ServedLearner(Protocol):
    """A learner whose model other engines can run."""

    def opened(self, choice: EngineChoice) -> RowEngine | None:
        """The engine of a choice; None for this process."""

    def run(
        self,
        given: Given,
        settings: SamplingSettings,
        progress: Progress,
        engine: RowEngine | None = None,
    ) -> RowRun:
        """Begin to draw rows with an engine; see `Learner.run`."""


class DrawingEngine:
    """What one run draws with.

    Raises:
        SettingsError: another engine than the local one for a compact model.
        EngineError, MissingExtraError: the engine cannot be started.
    """

    def __init__(self, learner: Learner, wish: EngineWish) -> None:
        self._learner = learner
        choice = EngineChoice(kind=wish) if isinstance(wish, str) else wish
        self._is_own = isinstance(choice, EngineChoice)
        self._engine: RowEngine | None = None
        if choice is None or (isinstance(choice, EngineChoice) and choice.is_local):
            return
        if not isinstance(learner, ServedLearner):
            raise SettingsError(
                "Only a pretrained model's rows can be drawn by another engine; a compact model "
                "draws its own, thousands a second.",
                hint="Leave the engine out; `write_servable` makes a checkpoint for a server.",
            )
        self._engine = learner.opened(choice) if isinstance(choice, EngineChoice) else choice

    def run(self, given: Given, settings: SamplingSettings, progress: Progress) -> RowRun:
        """Begin to draw rows; see `Learner.run`."""
        if self._engine is None:
            return self._learner.run(given, settings, progress)
        assert isinstance(self._learner, ServedLearner)
        return self._learner.run(given, settings, progress, self._engine)

    def closing(self, chunks: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """The chunks; the engine is closed when they end or are given up."""
        try:
            yield from chunks
        finally:
            self.close()

    def close(self) -> None:
        """Let go of an engine that was opened here."""
        if self._is_own and self._engine is not None:
            self._engine.close()
