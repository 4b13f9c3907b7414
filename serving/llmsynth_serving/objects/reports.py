"""Reports of a project: deleted for good."""

from __future__ import annotations

from llmsynth_serving.accounts.audit import note
from llmsynth_serving.accounts.keys import Caller
from llmsynth_serving.database.records import Report
from llmsynth_serving.objects.erasure import erase
from llmsynth_serving.objects.ownership import find
from llmsynth_serving.service import Service


def content(service: Service, caller: Caller, report_id: str, name: str) -> bytes:
    """One of a report's files, `report.html` or `report.json`."""
    with service.database.reading() as session:
        report = find(session, Report, report_id, project_id=caller.project_id)
    with service.storage.open(f"{report.path}/{name}") as file:
        return bytes(file.read())


def delete(service: Service, caller: Caller, report_id: str) -> list[str]:
    """Remove record and files.

    Raises:
        ConflictError: files are still there afterwards.
    """
    with service.database.session() as session:
        report = find(session, Report, report_id, project_id=caller.project_id)
        removed = erase(service.storage, report.path)
        session.delete(report)
        note(session, caller, "delete", kind="report", object_id=report_id, files=removed, left=0)
    return removed
