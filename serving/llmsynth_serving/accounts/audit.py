"""The audit log: who did what to which object."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from llmsynth_serving.accounts.keys import Caller
from llmsynth_serving.database.records import AuditEntry


def note(
    session: Session,
    caller: Caller | None,
    action: str,
    *,
    kind: str,
    object_id: str | None,
    outcome: str = "done",
    project_id: str | None = None,
    **details: Any,
) -> None:
    """Add an entry in the transaction of the act itself, so that neither is without the other.

    Args:
        caller: None where no request acts: the operator at the machine, or a schedule.
        project_id: whose object it is, where there is no caller.
    """
    session.add(
        AuditEntry(
            project_id=caller.project_id if caller else project_id,
            key_id=caller.key_id if caller else None,
            action=action,
            object_kind=kind,
            object_id=object_id,
            outcome=outcome,
            details=details,
        )
    )
