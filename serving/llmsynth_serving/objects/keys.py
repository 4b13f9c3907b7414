"""Keys of a project: made, listed, renewed, revoked, each with an entry in the audit log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from llmsynth_serving.accounts.audit import note
from llmsynth_serving.accounts.keys import Caller, Scope, create_key, rotate_key
from llmsynth_serving.database.records import ApiKey, now
from llmsynth_serving.objects.refusals import ConflictError, MissingObjectError, RefusedInputError

LIMITS = ("max_storage_bytes", "max_rows", "max_running_jobs")


def create(
    session: Session,
    *,
    project_id: str,
    name: str,
    scope: Scope,
    expires_at: datetime | None = None,
    limits: Mapping[str, int | None] | None = None,
    caller: Caller | None = None,
) -> tuple[ApiKey, str]:
    """Make a key.

    Args:
        limits: any of `LIMITS`; None is no limit.
        caller: who asks; None is the operator at the machine itself.

    Raises:
        RefusedInputError: a negative limit.
        InputError: an unknown scope, or an expiry in the past.
    """
    for limit, value in (limits or {}).items():
        if value is not None and value < 0:
            raise RefusedInputError(f"{limit} cannot be negative, got {value}.")
    key, text = create_key(
        session, project_id=project_id, name=name, scope=scope, expires_at=expires_at
    )
    for limit in LIMITS:
        setattr(key, limit, (limits or {}).get(limit))
    _note(session, caller, "create key", key, scope=scope)
    return key, text


def list_keys(session: Session, project_id: str) -> Sequence[ApiKey]:
    """All keys of a project, the newest first."""
    query = select(ApiKey).where(ApiKey.project_id == project_id)
    return session.scalars(query.order_by(ApiKey.created_at.desc())).all()


def rotate(
    session: Session, key_id: str, *, project_id: str, caller: Caller | None = None
) -> tuple[ApiKey, str]:
    """Make a key like this one and revoke this one.

    Raises:
        MissingObjectError, ConflictError: there is none, or it is revoked already.
    """
    key = _valid(session, key_id, project_id)
    fresh, text = rotate_key(session, key)
    _note(session, caller, "rotate key", key, successor=fresh.id)
    return fresh, text


def revoke(
    session: Session, key_id: str, *, project_id: str, caller: Caller | None = None
) -> ApiKey:
    """End a key, as soon as nobody remembers it as a good one.

    Raises:
        MissingObjectError, ConflictError: there is none, or it is revoked already.
    """
    key = _valid(session, key_id, project_id)
    key.revoked_at = now()
    _note(session, caller, "revoke key", key)
    return key


def _valid(session: Session, key_id: str, project_id: str) -> ApiKey:
    key = session.get(ApiKey, key_id)
    if key is None or key.project_id != project_id:
        raise MissingObjectError(f"There is no key {key_id!r} here.")
    if key.revoked_at is not None:
        raise ConflictError("The key is revoked already.")
    return key


def _note(
    session: Session, caller: Caller | None, action: str, key: ApiKey, **details: str
) -> None:
    note(
        session,
        caller,
        action,
        kind="key",
        object_id=key.id,
        project_id=key.project_id,
        **details,
    )
