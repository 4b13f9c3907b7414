"""Which Ray cluster works, and what each of its workers gets; nothing of Ray is needed here."""

from __future__ import annotations

from dataclasses import dataclass

from llmsynth.errors import SettingsError


@dataclass(frozen=True, kw_only=True)
class RaySettings:
    """Where work runs on Ray."""

    address: str | None = None
    """Of a running cluster; `RAY_ADDRESS` or a cluster on this machine when omitted, else a new
    one of this machine alone."""
    workers: int | None = None
    """Processes that work side by side; as many as the cluster has room for when omitted. On a
    cluster that grows by itself, say how many: it grows for them."""
    cpus: float = 1.0
    """Processors of each worker."""
    gpus: float = 0.0
    """GPUs of each worker; a part of one lets several share it."""
    start_seconds: float = 300.0
    """How long to wait while no worker at all is running."""

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise SettingsError(f"workers must be at least 1, got {self.workers}.")
        if not self.cpus > 0 or not self.gpus >= 0 or not self.start_seconds > 0:
            raise SettingsError(
                "cpus and start_seconds must be above 0 and gpus 0 or more, "
                f"got {self.cpus}, {self.start_seconds} and {self.gpus}."
            )
