"""Reports: listed, shown inside a page that they cannot reach out of, downloaded, deleted."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import quote

from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery, QueryParameter

from llmsynth_serving.accounts.authentication import requires
from llmsynth_serving.api.reports import PAGE_POLICY
from llmsynth_serving.database.records import Job, Report, Table
from llmsynth_serving.objects import reports
from llmsynth_serving.pages import snippets
from llmsynth_serving.pages.asking import (
    Asked,
    caller_of,
    found,
    found_or_none,
    listed,
    names,
    service_of,
)
from llmsynth_serving.pages.forms import go
from llmsynth_serving.pages.rendering import page

Form = Annotated[Literal["html", "json"], QueryParameter(name="format")]
EMBEDDED = {
    "Content-Security-Policy": f"{PAGE_POLICY}; frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
}
MEDIA_TYPES = {"html": "text/html; charset=utf-8", "json": "application/json"}


class ReportPages(Controller):
    """`/reports`."""

    path = "/reports"
    guards = (requires("read"),)

    @get(sync_to_thread=True)
    def list_reports(
        self,
        request: Asked,
        cursor: FromQuery[str | None] = None,
        deleted: FromQuery[str | None] = None,
    ) -> Response[Any]:
        """The project's reports."""
        shown = listed(request, Report, cursor=cursor)
        return page(
            request,
            "reports.html",
            reports=shown.items,
            next_cursor=shown.next_cursor,
            tables=names(request, Table, {report.table_id for report in shown.items}),
            deleted=deleted,
            snippet=snippets.deletion(request, "reports", deleted) if deleted else None,
        )

    @get("/{report_id:str}", sync_to_thread=True)
    def show(self, request: Asked, report_id: FromPath[str]) -> Response[Any]:
        """A report in short, and the whole of it below."""
        report = found(request, Report, report_id)
        return page(
            request,
            "report.html",
            report=report,
            table=found_or_none(request, Table, report.table_id),
            job=found_or_none(request, Job, report.job_id),
            snippet=snippets.snippet(
                request,
                "GET",
                f"/v1/reports/{report.id}/html",
                verb=f"service.save_report({report.id!r}, 'report.html')",
                options="-o report.html",
            ),
        )

    @get("/{report_id:str}/page", sync_to_thread=True)
    def embedded(self, request: Asked, report_id: FromPath[str]) -> Response[bytes]:
        """The report itself: it may run nothing, load nothing and reach nothing."""
        content = reports.content(service_of(request), caller_of(request), report_id, "report.html")
        return Response(content, media_type=MEDIA_TYPES["html"], headers=EMBEDDED)

    @get("/{report_id:str}/download", sync_to_thread=True)
    def download(
        self, request: Asked, report_id: FromPath[str], form: Form = "html"
    ) -> Response[bytes]:
        """The report as a file."""
        report = found(request, Report, report_id)
        content = reports.content(
            service_of(request), caller_of(request), report_id, f"report.{form}"
        )
        named = quote(f"{report.name}.{form}", safe="")
        headers = {**EMBEDDED, "Content-Disposition": f"attachment; filename*=UTF-8''{named}"}
        return Response(content, media_type=MEDIA_TYPES[form], headers=headers)

    @post(
        "/{report_id:str}/delete", guards=[requires("write")], status_code=200, sync_to_thread=True
    )
    def remove(self, request: Asked, report_id: FromPath[str]) -> Response[Any]:
        """Delete a report and its files."""
        reports.delete(service_of(request), caller_of(request), report_id)
        return go(request, f"/reports?deleted={report_id}")
