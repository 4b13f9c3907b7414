"""Synthesizers of a project: deleted for good."""

from __future__ import annotations

from llmsynth_serving.accounts.audit import note
from llmsynth_serving.accounts.keys import Caller
from llmsynth_serving.database.records import Synthesizer
from llmsynth_serving.objects.erasure import erase
from llmsynth_serving.objects.ownership import find
from llmsynth_serving.objects.refusals import ConflictError
from llmsynth_serving.service import Service


def delete(service: Service, caller: Caller, synthesizer_id: str) -> list[str]:
    """Remove record and files; tables that it wrote stay.

    Raises:
        ConflictError: it is being fitted, or files are still there afterwards.
    """
    with service.database.session() as session:
        found = find(session, Synthesizer, synthesizer_id, project_id=caller.project_id)
        if found.state == "fitting":
            raise ConflictError("It is being fitted.", hint="Cancel the job first.")
        removed = erase(service.storage, f"synthesizers/{found.id}")
        session.delete(found)
        note(
            session,
            caller,
            "delete",
            kind="synthesizer",
            object_id=synthesizer_id,
            files=removed,
            left=0,
        )
    return removed
