"""A training run on disk, so that an interrupted fit goes on where it stopped."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from llmsynth.errors import BundleError

_FILE = "checkpoint.safetensors"


@dataclass
class Position:
    """Where in a run a checkpoint stands."""

    fingerprint: str
    """Hash of data, settings and shape; a checkpoint of another run is not taken up."""
    step: int = 0
    seconds: float = 0.0
    best_loss: float = float("inf")
    stale_checks: int = 0
    checks: int = 0
    """Held-out checks that were due so far, and done."""
    recent_loss: float = float("nan")
    """Smoothed training loss, nats a row."""
    history: list[dict[str, float]] = field(default_factory=list)
    """What each check found."""


def save_checkpoint(folder: Path, position: Position, tensors: dict[str, torch.Tensor]) -> None:
    """Write a checkpoint, replacing the last one in one move."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / (_FILE + ".new")
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(contiguous, temporary, metadata={"position": json.dumps(asdict(position))})
    temporary.replace(folder / _FILE)


def load_checkpoint(
    folder: Path, fingerprint: str
) -> tuple[Position, dict[str, torch.Tensor]] | None:
    """Read the checkpoint in `folder`; None where there is none of this very run.

    Raises:
        BundleError: the file is there and cannot be read.
    """
    path = folder / _FILE
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            position = Position(**json.loads(file.metadata()["position"]))
            if position.fingerprint != fingerprint:
                return None
            return position, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:
        raise BundleError(
            f"The checkpoint {path} cannot be read: {error}.", hint="Delete it to start afresh."
        ) from error


def remove_checkpoint(folder: Path) -> None:
    """Delete the checkpoint of a finished run."""
    (folder / _FILE).unlink(missing_ok=True)
