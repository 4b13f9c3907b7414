"""What a user may set about fine-tuning a pretrained model."""

from __future__ import annotations

from dataclasses import dataclass

from llmsynth.errors import SettingsError


@dataclass(frozen=True, kw_only=True)
class TuningSettings:
    """Settings of one LoRA fine-tuning run (Hu et al. 2021, arXiv 2106.09685)."""

    rank: int = 16
    """Width of the two matrices that each adapted layer gets."""
    alpha: float = 32.0
    """Their product is scaled by `alpha / rank`."""
    target_modules: tuple[str, ...] = ()
    """Names of the layers to adapt; empty for every linear layer but the output."""
    dropout: float = 0.0
    """Share of an adapter's inputs that a step leaves out."""
    learning_rate: float = 1e-3
    """Peak rate of AdamW; it falls along a cosine to zero at the end of the budget."""
    max_epochs: float = 6.0
    """Passes over the training rows."""
    max_minutes: float | None = None
    """Wall-clock budget; whichever of the two limits comes first shapes the schedule."""
    batch_rows: int = 16
    """Rows per optimizer step, over all processes together."""
    batch_tokens: int = 2048
    """Tokens, padding included, that are read at once; halved where memory falls short."""
    max_tokens: int = 1024
    """Most tokens of a row; longer ones are learned up to there."""
    packed: bool = False
    """Lay rows end to end, each blind to the others, instead of padding rows of one length."""
    validation_share: float = 0.1
    """Share of the rows held out to stop early; at most 128 rows."""
    patience: int = 3
    """Checks of the held-out loss without progress before training stops."""
    four_bit: bool = False
    """Hold the base model in four bits; needs bitsandbytes and a GPU."""
    shard_weights: bool = False
    """Spread the model's weights over the processes (FSDP2) instead of a copy to each, for a model
    that no device holds alone."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise SettingsError for a value out of range."""
        above_zero = ("rank", "alpha", "learning_rate", "max_epochs", "batch_rows", "patience")
        for name in above_zero:
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name} must be above 0, got {getattr(self, name)}.")
        for name in ("batch_tokens", "max_tokens"):
            if getattr(self, name) < 8:
                raise SettingsError(f"{name} must be at least 8, got {getattr(self, name)}.")
        if self.max_minutes is not None and not self.max_minutes > 0:
            raise SettingsError(f"max_minutes must be above 0, got {self.max_minutes}.")
        if self.shard_weights and self.four_bit:
            raise SettingsError(
                "Weights in four bits cannot be spread over processes.",
                hint="Leave shard_weights or four_bit out.",
            )
        for name in ("dropout", "validation_share"):
            if not 0 <= getattr(self, name) < 1:
                raise SettingsError(
                    f"{name} must lie from 0 to below 1, got {getattr(self, name)}."
                )
