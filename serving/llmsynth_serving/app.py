"""Wires the service together; every part is made elsewhere."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.middleware import DefineMiddleware
from litestar.plugins.htmx import HTMXConfig, HTMXPlugin

from llmsynth_serving.accounts.authentication import KeyAuthentication
from llmsynth_serving.api.audit import AuditController
from llmsynth_serving.api.description import description
from llmsynth_serving.api.health import HealthController
from llmsynth_serving.api.idempotency import Idempotency
from llmsynth_serving.api.job_feed import JobFeed
from llmsynth_serving.api.jobs import JobController
from llmsynth_serving.api.keys import KeyController
from llmsynth_serving.api.known_fields import refuse_unknown
from llmsynth_serving.api.problems import HANDLERS
from llmsynth_serving.api.rate_limits import RateLimits
from llmsynth_serving.api.reports import ReportController
from llmsynth_serving.api.request_record import RequestIds, finish
from llmsynth_serving.api.rows import RowController
from llmsynth_serving.api.synthesizers import SynthesizerController
from llmsynth_serving.api.tables import TableController
from llmsynth_serving.logs import set_up_logs
from llmsynth_serving.pages.failures import nothing_there
from llmsynth_serving.pages.rendering import templates
from llmsynth_serving.pages.site import pages
from llmsynth_serving.processes.parent import die_with_parent
from llmsynth_serving.queue.durable import prepare_queue
from llmsynth_serving.service import Service
from llmsynth_serving.settings import ServiceSettings

LARGEST_DOCUMENT_BYTES = 16 << 20
"""Of a request with a document; a table that is uploaded is streamed and has a limit of its own."""


def from_environment() -> Litestar:
    """The application of one API process, which reads its settings itself."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        # One of several: killed, the process that starts them must not leave them behind.
        die_with_parent(signal.SIGTERM, parent=supervisor.pid)
        set_up_logs()
    return create_app(ServiceSettings.from_environment())


def create_app(settings: ServiceSettings) -> Litestar:
    """The ASGI application of one service."""
    prepare_queue(settings.queue)
    service = Service.open(settings)
    feed = JobFeed(service.database)

    @asynccontextmanager
    async def closing(app: Litestar) -> AsyncIterator[None]:
        yield
        await feed.close()
        service.close()

    return Litestar(
        route_handlers=[
            TableController,
            SynthesizerController,
            RowController,
            JobController,
            ReportController,
            KeyController,
            AuditController,
            HealthController,
            *pages(),
        ],
        middleware=[
            RequestIds(),
            DefineMiddleware(KeyAuthentication),
            RateLimits(settings.requests_per_minute),
            Idempotency(),
        ],
        before_request=refuse_unknown,
        before_send=[finish],
        exception_handlers={**HANDLERS, NotFoundException: nothing_there},  # type: ignore[dict-item]
        plugins=[HTMXPlugin(HTMXConfig(set_request_class_globally=False))],
        template_config=templates(),
        logging_config=None,  # `set_up_logs` is for whoever starts the process
        openapi_config=description(),
        request_max_body_size=LARGEST_DOCUMENT_BYTES,
        state=State({"service": service, "feed": feed}),
        lifespan=[closing],
    )
