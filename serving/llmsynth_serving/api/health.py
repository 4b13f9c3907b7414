"""Whether the service is alive and whether it can work; what a monitor asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from litestar import Controller, Request, Response, get
from litestar.datastructures import State

import llmsynth
from llmsynth_serving.api.gauges import gauges
from llmsynth_serving.database.upgrade import check

Asked = Request[Any, Any, State]
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, kw_only=True)
class HealthDocument:
    """That the process answers, and who does its work."""

    status: Literal["alive"]
    workers: int
    """Those that take jobs."""
    seconds_since_beat: float | None
    """Of the one that beat last; null where there is none."""


class HealthController(Controller):
    """`/health`, `/ready`, `/version`, `/metrics`: they tell of no project, and need no key."""

    tags = ("service",)
    security: list[dict[str, list[str]]] = []  # noqa: RUF012 litestar reads it from the class
    opt = {"open": True}  # noqa: RUF012

    @get("/health", sync_to_thread=True)
    def health(self, request: Asked) -> HealthDocument:
        """The process answers; how many workers hold a lease, and when the latest one beat."""
        workers = request.app.state.service.present()
        latest = min((worker.seconds for worker in workers), default=None)
        return HealthDocument(status="alive", workers=len(workers), seconds_since_beat=latest)

    @get("/ready", sync_to_thread=True)
    def ready(self, request: Asked) -> dict[str, str]:
        """Database and storage can be reached, and are of this version."""
        service = request.app.state.service
        check(service.database)
        service.storage.exists("ready")
        return {"status": "ready"}

    @get("/version")
    async def version(self) -> dict[str, str]:
        """The service's version."""
        return {"version": llmsynth.__version__}

    @get("/metrics", sync_to_thread=True, media_type="text/plain")
    def metrics(self, request: Asked) -> Response[bytes]:
        """Gauges for Prometheus."""
        return Response(gauges(request.app.state.service), media_type=PROMETHEUS)
