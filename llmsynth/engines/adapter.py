"""A LoRA adapter on disk: the folder that `peft` writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from llmsynth.errors import SettingsError

_WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """What one table taught a model that several tables share."""

    name: str
    """How people call it; engines tell adapters apart by their files."""
    path: Path
    """Folder with `adapter_config.json` and `adapter_model.safetensors`."""

    def version(self) -> str:
        """Another text whenever the folder's weights were written anew.

        Raises:
            SettingsError: the folder is not an adapter.
        """
        weights = self.path / _WEIGHTS
        if not weights.is_file() or not (self.path / "adapter_config.json").is_file():
            raise SettingsError(
                f"Expected a LoRA adapter (adapter_config.json, {_WEIGHTS}) in {self.path}.",
                hint="Fit the table again, or name the folder it was saved in.",
            )
        facts = weights.stat()
        return f"{self.path.resolve()}:{facts.st_mtime_ns}:{facts.st_size}"
