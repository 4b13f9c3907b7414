"""A process as the driver of a Ray cluster: an existing one, or one of this machine alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from llmsynth.cluster.ray_settings import RaySettings
from llmsynth.errors import EngineError


@contextmanager
def connected(settings: RaySettings) -> Iterator[None]:
    """Be connected while the block runs; a connection the caller has already is used and kept.

    Raises:
        EngineError: the cluster cannot be reached.
    """
    if ray.is_initialized():
        yield
        return
    try:
        ray.init(
            address=settings.address,
            log_to_driver=False,
            logging_level=logging.WARNING,
            configure_logging=False,
            namespace="llmsynth",
        )
    except (ConnectionError, OSError, ValueError, RuntimeError) as error:
        where = settings.address or "this machine"
        raise EngineError(f"No Ray cluster at {where}: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()
