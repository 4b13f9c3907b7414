"""The synthesizer of a use: one that was saved, or one yet to be fitted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llmsynth.errors import SettingsError
from llmsynth.schema import TableSchema

if TYPE_CHECKING:
    from llmsynth.synthesizers import Synthesizer


def use_synthesizer(
    saved: Path | None,
    *,
    schema: Path | None,
    missing: Sequence[str] | None,
    max_minutes: float | None,
    max_epochs: float | None,
    seed: int,
    target: str | None = None,
    keep_rare: bool = False,
    drop_text: bool = False,
) -> Synthesizer:
    """What `--synthesizer` names, or a new one as the other options say.

    Raises:
        SettingsError: a schema or a target beside a saved synthesizer.
    """
    typed = TableSchema.read(schema) if schema is not None else None
    if saved is not None and (typed is not None or target is not None):
        raise SettingsError("--synthesizer brings its own schema and target.")
    # Reaches torch, which takes seconds to load.
    from llmsynth.synthesizers import Synthesizer

    if saved is not None:
        return Synthesizer.load(saved)
    return Synthesizer(
        target=target,
        schema=typed,
        missing=missing or (),
        keep_rare=keep_rare,
        drop_text=drop_text,
        max_minutes=max_minutes,
        max_epochs=max_epochs,
        seed=seed,
    )
