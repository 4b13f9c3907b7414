"""What a user may set about training the compact model."""

from __future__ import annotations

from dataclasses import dataclass

from llmsynth.errors import SettingsError


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Settings of one training run."""

    max_epochs: float = 10.0
    """Passes over the training rows; the learning rate reaches zero there."""
    max_minutes: float | None = None
    """Wall-clock budget; whichever of the two limits comes first shapes the schedule."""
    batch_rows: int = 256
    """Rows per optimizer step, halved for wide tables (see `models.sizes`)."""
    learning_rate: float = 3e-3
    """Peak rate of AdamW, for embeddings, norms and the head."""
    matrix_learning_rate: float = 0.02
    """Peak rate of Muon, for the matrices inside the layers."""
    weight_decay: float = 0.01
    """Decoupled weight decay of the layers' matrices per unit of learning rate. 2 brings Adult's
    DCR share from .52 to .51, at the price of the conditional distributions."""
    averaging: float = 0.99
    """Decay of the exponential average of the weights that is kept."""
    validation_share: float = 0.05
    """Share of the rows held out to stop early; at most 2,000 rows."""
    patience: int = 3
    """Checks of the held-out loss without progress before training stops."""
    seed: int = 0

    def __post_init__(self) -> None:
        positive = ("max_epochs", "batch_rows", "learning_rate", "matrix_learning_rate", "patience")
        for name in positive:
            if getattr(self, name) <= 0:
                raise SettingsError(f"{name} must be above 0, got {getattr(self, name)}.")
        if self.max_minutes is not None and self.max_minutes <= 0:
            raise SettingsError(f"max_minutes must be above 0, got {self.max_minutes}.")
        for name in ("averaging", "validation_share"):
            if not 0 <= getattr(self, name) < 1.0000001:
                raise SettingsError(f"{name} must lie from 0 to 1, got {getattr(self, name)}.")
