"""Where a model server is, and how patient to be with it."""

from __future__ import annotations

from dataclasses import dataclass, field

from llmsynth.errors import SettingsError


@dataclass(frozen=True, kw_only=True)
class EndpointSettings:
    """An OpenAI-compatible server (`vllm serve` and others) and the limits of each call to it."""

    base_url: str
    """Up to and including `/v1`."""
    model: str | None = None
    """Its name there; None for the first one the server lists."""
    api_key: str | None = field(default=None, repr=False)
    """Sent as a bearer token; None where the server asks for none."""
    rows_at_once: int = 32
    """Rows asked for at one time."""
    attempts: int = 4
    """Times that a row is asked for before it is given up."""
    first_pause_seconds: float = 0.5
    """Pause before the second attempt; each later pause is twice as long, plus up to as much."""
    row_timeout_seconds: float = 120.0
    """Longest wait for one row."""
    connect_timeout_seconds: float = 5.0
    """Longest wait for a connection."""
    context_length: int | None = None
    """Most tokens of prompt and row together; None to ask the server."""
    max_adapters: int = 4
    """Adapters this client keeps loaded; start vLLM with `--max-loras` at least one larger: its
    version 0.32 gives rows without an adapter the adapter of the last slot on CPUs."""

    def __post_init__(self) -> None:
        """Raise SettingsError for a value out of range."""
        checks = {
            "base_url": (self.base_url.startswith(("http://", "https://")), "http:// or https://"),
            "rows_at_once": (self.rows_at_once >= 1, "at least 1"),
            "attempts": (self.attempts >= 1, "at least 1"),
            "first_pause_seconds": (self.first_pause_seconds >= 0, "at least 0"),
            "row_timeout_seconds": (self.row_timeout_seconds > 0, "above 0"),
            "connect_timeout_seconds": (self.connect_timeout_seconds > 0, "above 0"),
            "max_adapters": (self.max_adapters >= 0, "at least 0"),
        }
        for name, (holds, expected) in checks.items():
            if not holds:
                raise SettingsError(f"{name}: expected {expected}, got {getattr(self, name)}.")
