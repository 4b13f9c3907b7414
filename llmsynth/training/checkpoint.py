"""A training run on disk, so that an interrupted fit goes on where it stopped."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from llmsynth.errors import BundleError

_FILE = "checkpoint.safetensors"
_UNFINISHED = ".new"
_ABANDONED_SECONDS = 3600.0
"""A file that nobody has finished for so long was left by an attempt that was killed."""


@dataclass
class Position:
    """Where in a run a checkpoint stands."""

    fingerprint: str
    """Hash of data, settings and shape; a checkpoint of another run is not taken up."""
    step: int = 0
    seconds: float = 0.0
    start_loss: float = float("nan")
    """Held-out loss before the first step, nats a row."""
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
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    told = {"position": json.dumps(asdict(position))}
    put_file(folder / _FILE, lambda path: save_file(contiguous, path, metadata=told))


def put_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file whole or not at all, whoever else writes it at the same time.

    A fit may have two attempts: one that was given up for lost, and the one in its place. Each
    writes under a name of its own, and the last to be done is what stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"{path.name}.*{_UNFINISHED}"):
        _remove_abandoned(left)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}{_UNFINISHED}")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _remove_abandoned(path: Path) -> None:
    try:
        if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
            path.unlink()
    except FileNotFoundError:
        return  # its writer was done, or another one removed it


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
