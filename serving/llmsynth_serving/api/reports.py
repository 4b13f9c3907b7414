"""Reports over HTTP: list, show, read as a page or as JSON, delete; an evaluation makes them."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, delete, get
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery

from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.api.documents import Listing, ReportDocument
from llmsynth_serving.api.etags import tagged
from llmsynth_serving.database.records import Report
from llmsynth_serving.objects import reports
from llmsynth_serving.objects.ownership import find, list_page

Asked = Request[Any, Any, State]
# The page has a style and drawings of its own and no script; nothing may be fetched or run.
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


class ReportController(Controller):
    """`/v1/reports`."""

    path = "/v1/reports"
    tags = ("reports",)
    guards = (requires("read"),)

    @get(sync_to_thread=True)
    def list_reports(
        self,
        request: Asked,
        cursor: FromQuery[str | None] = None,
        limit: FromQuery[int] = 50,
        table_id: FromQuery[str | None] = None,
    ) -> Listing[ReportDocument]:
        """The project's reports."""
        project_id = request.user.project_id
        with request.app.state.service.database.reading() as session:
            page = list_page(
                session,
                Report,
                project_id=project_id,
                cursor=cursor,
                limit=limit,
                table_id=table_id,
            )
        items = [ReportDocument.of(record) for record in page.items]
        return Listing(items=items, next_cursor=page.next_cursor)

    @get("/{report_id:str}", sync_to_thread=True)
    def show(self, request: Asked, report_id: FromPath[str]) -> Response[ReportDocument]:
        """One report in short."""
        report = _report(request, report_id)
        return tagged(request, ReportDocument.of(report), report.version)

    @get("/{report_id:str}/html", sync_to_thread=True, media_type="text/html")
    def page(self, request: Asked, report_id: FromPath[str]) -> Response[bytes]:
        """The report as one page that needs nothing else."""
        content = reports.content(request.app.state.service, request.user, report_id, "report.html")
        headers = {"Content-Security-Policy": PAGE_POLICY}
        return Response(content, media_type="text/html; charset=utf-8", headers=headers)

    @get("/{report_id:str}/json", sync_to_thread=True)
    def as_json(self, request: Asked, report_id: FromPath[str]) -> Response[bytes]:
        """The report as JSON."""
        content = reports.content(request.app.state.service, request.user, report_id, "report.json")
        return Response(content, media_type="application/json")

    @delete("/{report_id:str}", guards=[requires("write")], sync_to_thread=True)
    def remove(self, request: Asked, report_id: FromPath[str]) -> None:
        """Delete a report and its files."""
        reports.delete(request.app.state.service, request.user, report_id)


def _report(request: Asked, report_id: str) -> Report:
    with request.app.state.service.database.reading() as session:
        return find(session, Report, report_id, project_id=request.user.project_id)
