"""Where work is done, and how the options of a command become a Ray cluster's workers."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from llmsynth.errors import MissingExtraError

if TYPE_CHECKING:
    from llmsynth.training.launching import Launcher


class Place(StrEnum):
    """Where work is done."""

    here = "here"
    ray = "ray"


def ray_launcher(address: str | None, processes: int, cpus: float, gpus: float) -> Launcher:
    """What starts the processes of a training on Ray.

    Raises:
        MissingExtraError: Ray is not installed.
        SettingsError: a number out of its range.
    """
    # Both reach torch, and one is an extra.
    from llmsynth.cluster.ray_settings import RaySettings

    settings = RaySettings(address=address, workers=processes, cpus=cpus, gpus=gpus)
    try:
        from llmsynth.cluster.ray_training import RayLauncher
    except ImportError as error:
        raise MissingExtraError(
            f"Ray is not installed: {error}.", hint="pip install 'llmsynth[ray]'"
        ) from error
    return RayLauncher(settings=settings)
