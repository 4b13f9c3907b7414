"""Finds, lists and pages through objects of one project; nobody sees another project's."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from llmsynth_serving.database.records import AuditEntry, Job, Owned
from llmsynth_serving.objects.refusals import MissingObjectError, RefusedInputError

T = TypeVar("T", bound=Owned)
Listed = TypeVar("Listed", bound=Owned | AuditEntry)
MOST_AT_ONCE = 200


@dataclass(frozen=True, kw_only=True)
class Page(Generic[Listed]):
    """Some objects, newest first, and where the next ones begin."""

    items: Sequence[Listed]
    next_cursor: str | None


def find(session: Session, kind: type[T], object_id: str, *, project_id: str) -> T:
    """One object.

    Raises:
        MissingObjectError: there is none of this id in the project; whether another project has
            it cannot be told apart.
    """
    found = session.get(kind, object_id) if "\0" not in object_id else None
    if found is None or found.project_id != project_id:
        raise _missing(kind, object_id)
    return found


def require(session: Session, kind: type[T], *object_ids: str, project_id: str) -> None:
    """See that objects are there, without reading them.

    Raises:
        MissingObjectError: one is not, as of `find`.
    """
    mine = kind.id.in_(set(object_ids)), kind.project_id == project_id
    there = set(session.scalars(select(kind.id).where(*mine)))
    for object_id in object_ids:
        if object_id not in there:
            raise _missing(kind, object_id)


def list_page(
    session: Session,
    kind: type[Listed],
    *,
    project_id: str,
    cursor: str | None = None,
    limit: int = 50,
    **equals: str | None,
) -> Page[Listed]:
    """A page of a project's objects.

    Args:
        cursor: `next_cursor` of the page before.
        equals: columns that must hold a value; None asks for nothing.

    Raises:
        RefusedInputError: a cursor that no page gave, or a limit out of range.
    """
    if not 1 <= limit <= MOST_AT_ONCE:
        raise RefusedInputError(f"limit must lie between 1 and {MOST_AT_ONCE}, got {limit}.")
    query = select(kind).where(kind.project_id == project_id)
    if kind is Job:
        query = query.where(Job.parent_id.is_(None))  # shards are shown with what they are parts of
    for name, value in equals.items():
        if value is not None and "\0" in value:
            raise RefusedInputError(f"{name} holds a NUL character.")
        if value is not None:
            query = query.where(getattr(kind, name) == value)
    if cursor is not None:
        moment, object_id = _read(cursor)
        earlier = and_(kind.created_at == moment, kind.id < object_id)
        query = query.where(or_(kind.created_at < moment, earlier))
    query = query.order_by(kind.created_at.desc(), kind.id.desc()).limit(limit + 1)
    found = session.scalars(query).all()
    more = _write(found[limit - 1]) if len(found) > limit else None
    return Page(items=found[:limit], next_cursor=more)


def _missing(kind: type[Owned], object_id: str) -> MissingObjectError:
    return MissingObjectError(f"There is no {kind.__name__.lower()} {object_id!r} here.")


def _write(last: Owned | AuditEntry) -> str:
    return base64.urlsafe_b64encode(
        json.dumps([last.created_at.isoformat(), last.id]).encode()
    ).decode()


def _read(cursor: str) -> tuple[datetime, str]:
    try:
        moment, object_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        when = datetime.fromisoformat(moment)
        if when.tzinfo is None or "\0" in str(object_id):
            raise ValueError(cursor)
        return when, str(object_id)
    except (ValueError, TypeError) as error:
        raise RefusedInputError("This cursor was not given by a page of this list.") from error
