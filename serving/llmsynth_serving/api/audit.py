"""The audit log over HTTP, for callers of the scope admin."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, get
from litestar.datastructures import State
from litestar.params import FromQuery

from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.api.documents import AuditDocument, Listing
from llmsynth_serving.database.records import AuditEntry
from llmsynth_serving.objects.ownership import list_page

Asked = Request[Any, Any, State]


class AuditController(Controller):
    """`/v1/audit`."""

    path = "/v1/audit"
    tags = ("audit",)
    guards = (requires("admin"),)

    @get(sync_to_thread=True)
    def list_entries(
        self,
        request: Asked,
        cursor: FromQuery[str | None] = None,
        limit: FromQuery[int] = 50,
        object_id: FromQuery[str | None] = None,
    ) -> Listing[AuditDocument]:
        """Who did what in the project, the newest first."""
        project_id = request.user.project_id
        with request.app.state.service.database.reading() as session:
            page = list_page(
                session,
                AuditEntry,
                project_id=project_id,
                cursor=cursor,
                limit=limit,
                object_id=object_id,
            )
        items = [AuditDocument.of(record) for record in page.items]
        return Listing(items=items, next_cursor=page.next_cursor)
