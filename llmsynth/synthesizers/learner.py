"""What every kind of model has to do for a synthesizer once it has learned a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from llmsynth.bundle.owner import OwnerFolder
from llmsynth.codec.row_language import RowLanguage
from llmsynth.errors import ConditionError, SettingsError
from llmsynth.generation.generator import SamplingSettings
from llmsynth.generation.sample import SampleReport
from llmsynth.progress import Progress, silent
from llmsynth.training.launching import Launcher


@dataclass(frozen=True, kw_only=True)
class FitPlan:
    """What a fit is asked to do, whichever model does it."""

    target: str | None
    seed: int
    max_minutes: float | None
    max_epochs: float | None
    folder: Path | None
    """Where checkpoints go; None for none."""
    progress: Progress = silent
    processes: int = 1
    """Processes that train together."""
    launcher: Launcher | None = None
    """What starts them; None for this process alone, or `accelerate launch` where they are more."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """What is fixed of the rows to be made: one value for all of them, and a table of columns."""

    where: Mapping[str, object]
    table: pa.Table | None

    @property
    def columns(self) -> set[str]:
        """Names of the fixed columns."""
        return set(self.where) | set([] if self.table is None else self.table.column_names)

    def check_context(self, context: Sequence[str]) -> None:
        """Refuse rows whose context is not given.

        Raises:
            ConditionError: names the first column that is missing.
        """
        if absent := [name for name in context if name not in self.columns]:
            raise ConditionError(
                f"This synthesizer draws rows in context, and {absent[0]!r} is not given.",
                hint=f"Give {', '.join(map(repr, context))} with every row.",
            )

    def num_rows(self, asked: int | None) -> int:
        """How many rows are to be made: those asked for, or those of the given table.

        Raises:
            ConditionError: both, and they differ.
            SettingsError: neither, or fewer than one.
        """
        if self.table is not None:
            if asked is not None and asked != self.table.num_rows:
                raise ConditionError(
                    f"n is {asked}, and the given table has {self.table.num_rows} rows."
                )
            asked = self.table.num_rows
        if asked is None or asked < 1:
            raise SettingsError(f"n must be at least 1, got {asked}.")
        return asked


class RowRun(Protocol):
    """One sampling run."""

    report: SampleReport

    def chunks(self, num_rows: int) -> Iterator[pa.Table]:
        """Tables of rows until `num_rows` or a bound is reached."""


class Learner(Protocol):
    """A model that has learned a table."""

    @property
    def language(self) -> RowLanguage:
        """The row language of all columns."""

    @property
    def block_rows(self) -> int:
        """Rows drawn together: parts of a table that begin at its multiples are bit for bit
        those of a single run.
        """

    def run(self, given: Given, settings: SamplingSettings, progress: Progress) -> RowRun:
        """Begin to draw rows.

        Raises:
            ConditionError: something given that the schema cannot hold.
        """

    def save(
        self, folder: Path, *, settings: Mapping[str, object], record: Mapping[str, object]
    ) -> None:
        """Write a bundle.

        Args:
            settings: what the synthesizer needs to read tables as it did.
            record: `provenance.json`.
        """

    @property
    def memorization_guard(self) -> str | None:
        """`present`, `absent` (it is not beside the bundle) or `off`; None where none applies."""

    def save_guard(self, owner: OwnerFolder) -> None:
        """Write what keeps drawn rows from repeating the training table; never into the bundle."""

    def facts(self) -> dict[str, object]:
        """What the model is, for the record; JSON-ready."""
