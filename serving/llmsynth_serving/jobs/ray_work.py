"""Work too large for one worker, done on a Ray cluster from a job's process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llmsynth.cluster.ray_settings import RaySettings
from llmsynth.cluster.sharded_sample import sample_shards
from llmsynth.errors import EngineError, MissingExtraError
from llmsynth.generation.generator import SamplingSettings
from llmsynth_serving.jobs.context import JobContext
from llmsynth_serving.queue.leftovers import parts_of
from llmsynth_serving.settings import ServiceSettings

if TYPE_CHECKING:
    from llmsynth.training.launching import Launcher


def ray_settings(settings: ServiceSettings) -> RaySettings:
    """The cluster that the operator named."""
    return RaySettings(address=settings.ray_address, workers=settings.ray_workers or None)


def drawn_on_ray(context: JobContext, bundle: Path) -> list[str]:
    """Draw a sample's rows as shards; those that an earlier attempt left are not drawn again.

    Killing this process ends the work: Ray ends the workers of a driver that is gone.

    Returns:
        Paths of the shards in storage, in the order of their rows.

    Raises:
        EngineError: the cluster cannot be reached, or lost workers too often.
        MissingExtraError: Ray is not installed.
    """
    spec, folder = context.spec, parts_of(context.job_id)
    report = sample_shards(
        bundle,
        int(spec["rows"]),
        context.storage.address(folder),
        settings=SamplingSettings(
            seed=spec.get("seed", 0),
            temperature=spec.get("temperature", 1.0),
            top_p=spec.get("top_p", 1.0),
        ),
        where=spec.get("where") or None,
        ray=ray_settings(context.settings),
        progress=context.progress,
    )
    if report.stopped != "complete":
        raise EngineError(f"The sample on Ray ended early: {report.stopped}.")
    names = context.storage.names(folder)
    return [f"{folder}/{name}" for name in names if name.endswith(".parquet")]


def fit_launcher(settings: ServiceSettings, *, rows: int, is_private: bool) -> Launcher | None:
    """What trains a fit of so many rows on the cluster; None where it stays in its process.

    Raises:
        MissingExtraError: Ray is not installed.
    """
    if not settings.ray_address or rows <= settings.ray_rows or is_private:
        return None
    if settings.ray_workers < 2:
        return None
    try:
        # An extra, and it takes seconds to load.
        from llmsynth.cluster.ray_training import RayLauncher
    except ImportError as error:
        raise MissingExtraError(
            f"Ray is not installed: {error}.", hint="pip install 'llmsynth[ray]'"
        ) from error
    return RayLauncher(settings=ray_settings(settings))
