"""Whether the service is alive and whether it can work."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, get
from litestar.datastructures import State
from sqlalchemy import text

import llmsynth


class HealthController(Controller):
    """`/health`, `/ready` and `/version`; they tell nothing of any project and need no key."""

    tags = ("service",)
    opt = {"open": True}  # noqa: RUF012

    @get("/health")
    async def health(self) -> dict[str, str]:
        """The process answers."""
        return {"status": "alive"}

    @get("/ready", sync_to_thread=True)
    def ready(self, request: Request[Any, Any, State]) -> dict[str, str]:
        """Database and storage can be reached."""
        service = request.app.state.service
        with service.database.session() as session:
            session.execute(text("SELECT 1"))
        service.storage.exists("ready")
        return {"status": "ready"}

    @get("/version")
    async def version(self) -> dict[str, str]:
        """The service's version."""
        return {"version": llmsynth.__version__}
