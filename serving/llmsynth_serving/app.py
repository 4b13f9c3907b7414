"""Wires the service together; every part is made elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar
from litestar.datastructures import State
from litestar.middleware import DefineMiddleware
from litestar.openapi import OpenAPIConfig

import llmsynth
from llmsynth_serving.accounts.authentication import KeyAuthentication
from llmsynth_serving.api.health import HealthController
from llmsynth_serving.api.jobs import JobController
from llmsynth_serving.api.problems import HANDLERS
from llmsynth_serving.api.tables import TableController
from llmsynth_serving.queue.durable import prepare_queue
from llmsynth_serving.service import Service
from llmsynth_serving.settings import ServiceSettings


def create_app(settings: ServiceSettings) -> Litestar:
    """The ASGI application of one service."""
    prepare_queue(settings.queue)
    service = Service.open(settings)

    @asynccontextmanager
    async def closing(app: Litestar) -> AsyncIterator[None]:
        yield
        service.close()

    return Litestar(
        route_handlers=[TableController, JobController, HealthController],
        middleware=[DefineMiddleware(KeyAuthentication)],
        exception_handlers=HANDLERS,  # type: ignore[arg-type]
        openapi_config=OpenAPIConfig(title="llmsynth", version=llmsynth.__version__),
        request_max_body_size=settings.max_upload_bytes + (1 << 20),
        state=State({"service": service}),
        lifespan=[closing],
    )
