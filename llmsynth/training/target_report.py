"""What became of the target after training."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class TargetReport:
    """How boosting and the model compared on held-out rows, and how shares were kept."""

    column: str
    held_out_rows: int = 0
    """Rows that neither the model nor the classifier had learned."""
    model_loss: float | None = None
    """-log P(target | rest) by the model, nats a held-out row; None where not measured."""
    teacher_loss: float | None = None
    """The same by boosting, cross-fitted and calibrated."""
    taught: bool = False
    """Whether the model learned boosting's answers."""
    reason: str = ""
    """Why it did or did not: `better`, `not better`, `no held-out rows`, `no features`, `time`."""
    rows_drawn: int = 0
    """Rows drawn to set the shares by; 0 where they were left as learned."""
    shares: dict[str, dict[str, float]] = field(default_factory=dict)
    """Of every value: its share in the `table`, and `before` and `after` the offset in rows."""
    seconds: float = 0.0
    """What all of this took."""
