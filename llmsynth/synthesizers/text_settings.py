"""What a user may set about a synthesizer that has a pretrained model."""

from __future__ import annotations

from dataclasses import dataclass, field

from llmsynth.errors import SettingsError
from llmsynth.training.tuning_settings import TuningSettings

TEXT_PATHS = ("joint", "pretrained")


@dataclass(frozen=True, kw_only=True)
class TextSettings:
    """How a table with free text is learned, and any table by a pretrained model."""

    path: str = "joint"
    """`joint`: the compact model writes the typed columns and the pretrained one the texts, on the
    condition of their row. `pretrained`: the pretrained model writes everything. A table without
    free text or without typed columns is written by the pretrained model whichever is set."""
    copy_guard: int | None = 15
    """Most tokens in a row that a drawn text may share with a training text, unless at least five
    training texts have them; None for no guard. Hashes of longer spans are kept for it."""
    processes: int = 1
    """Processes that fine-tune together, on as many GPUs or as shares of the CPU."""
    with_base: bool = False
    """Whether a saved synthesizer holds a copy of its base model."""
    tuning: TuningSettings = field(default_factory=TuningSettings)

    def __post_init__(self) -> None:
        """Raise SettingsError for a value out of range."""
        if self.path not in TEXT_PATHS:
            raise SettingsError(
                f"text_path must be one of {', '.join(TEXT_PATHS)}, got {self.path!r}."
            )
        if self.copy_guard is not None and self.copy_guard < 1:
            raise SettingsError(f"copy_guard must be at least 1 or None, got {self.copy_guard}.")
        if self.processes < 1:
            raise SettingsError(f"processes must be at least 1, got {self.processes}.")
        if self.tuning.shard_weights and self.processes < 2:
            raise SettingsError(
                "shard_weights spreads weights over processes, and there is one.",
                hint="Set processes to the number of GPUs: --processes 4.",
            )
