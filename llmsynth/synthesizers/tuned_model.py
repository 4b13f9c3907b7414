"""A base model and the adapter that a table taught it: loaded when first asked for.

Where another engine draws the rows, the weights never come into this process.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from peft import PeftModel

from llmsynth.engines.adapter import Adapter
from llmsynth.errors import BundleError
from llmsynth.models.precision import fastest_dtype
from llmsynth.models.pretrained import load_pretrained
from llmsynth.training.lora import save_adapter

if TYPE_CHECKING:
    from llmsynth.models.pretrained import Pretrained

_FOLDER = "adapter"


@dataclass(frozen=True, kw_only=True)
class BaseModel:
    """Which model an adapter belongs to: its name, and a hash of its files."""

    name: str
    sha256: str


class TunedModel:
    """A fine-tuned model.

    Args:
        folder: where the base model's files are.
        adapter: the adapter's folder; None while it is only in memory.
        model: both, where they are loaded already.
    """

    def __init__(
        self,
        base: BaseModel,
        *,
        folder: Path,
        four_bit: bool,
        adapter: Path | None = None,
        model: PeftModel | None = None,
    ) -> None:
        self.base, self.folder = base, folder
        self._four_bit, self._adapter, self._model = four_bit, adapter, model

    @property
    def model(self) -> PeftModel:
        """The base model under its adapter, for this process to run.

        Raises:
            BundleError: the adapter cannot be read.
            ModelError: the base model cannot.
        """
        if self._model is None:
            self._model = self._loaded()
        return self._model

    def adapter(self) -> Adapter:
        """The adapter on disk, for engines that put it on the base model by themselves."""
        if self._adapter is None:
            folder = tempfile.mkdtemp(prefix="llmsynth-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            self._adapter = Path(folder) / _FOLDER
            save_adapter(self.model, self._adapter, self.base.name)
        return Adapter(name="llmsynth", path=self._adapter)

    @property
    def rank(self) -> int:
        """The adapter's rank.

        Raises:
            BundleError: its configuration cannot be read.
        """
        path = self.adapter().path / "adapter_config.json"
        try:
            return int(json.loads(path.read_text(encoding="utf-8"))["r"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BundleError(f"{path} cannot be read: {error}.") from error

    def save(self, folder: Path) -> None:
        """Write the adapter into a bundle's folder."""
        target = folder / _FOLDER
        if self._model is not None:
            save_adapter(self._model, target, self.base.name)
        elif self._adapter is not None and self._adapter.resolve() != target.resolve():
            shutil.copytree(self._adapter, target, dirs_exist_ok=True)

    @classmethod
    def in_bundle(
        cls, folder: Path, base: BaseModel, loaded: Path, *, four_bit: bool
    ) -> TunedModel:
        """The model of a bundle whose base model lies in `loaded`."""
        return cls(base, folder=loaded, four_bit=four_bit, adapter=folder / _FOLDER)

    def _loaded(self) -> PeftModel:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        base: Pretrained = load_pretrained(
            str(self.folder), dtype=fastest_dtype(device), device=device, four_bit=self._four_bit
        )
        try:
            return PeftModel.from_pretrained(base.model, str(self._adapter))
        except (OSError, ValueError, RuntimeError) as error:
            raise BundleError(f"{self._adapter} cannot be read: {error}") from error
