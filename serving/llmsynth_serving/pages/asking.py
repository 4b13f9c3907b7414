"""What a page's handler takes from a request: who asks, which service, which objects."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.plugins.htmx import HTMXRequest
from sqlalchemy import select

from llmsynth_serving.accounts import web_sessions
from llmsynth_serving.accounts.keys import Caller
from llmsynth_serving.database.records import AuditEntry, Owned
from llmsynth_serving.objects.ownership import MOST_AT_ONCE, Page, find, list_page
from llmsynth_serving.service import Service

Asked = HTMXRequest
Filled = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]
"""The fields of a form; one that was sent more than once is a list."""
T = TypeVar("T", bound=Owned)
Listed = TypeVar("Listed", bound=Owned | AuditEntry)


def service_of(request: Asked) -> Service:
    """The service that is asked."""
    service: Service = request.app.state.service
    return service


def caller_of(request: Asked) -> Caller:
    """Who asks; only behind a guard."""
    caller: Caller = request.user
    return caller


def is_signed_in(request: Asked) -> bool:
    """Whether the session that the request came with is still one."""
    with service_of(request).database.reading() as session:
        return web_sessions.find(session, request.auth) is not None


def found(request: Asked, kind: type[T], object_id: str) -> T:
    """One object of the caller's project.

    Raises:
        MissingObjectError: there is none.
    """
    with service_of(request).database.reading() as session:
        return find(session, kind, object_id, project_id=caller_of(request).project_id)


def found_or_none(request: Asked, kind: type[T], object_id: str | None) -> T | None:
    """One object of the caller's project, which may be gone by now."""
    if object_id is None:
        return None
    with service_of(request).database.reading() as session:
        there = session.get(kind, object_id)
    return there if there is not None and there.project_id == request.user.project_id else None


def listed(
    request: Asked,
    kind: type[Listed],
    *,
    cursor: str | None = None,
    limit: int = 50,
    **equals: str | None,
) -> Page[Listed]:
    """A page of the project's objects, newest first."""
    with service_of(request).database.reading() as session:
        return list_page(
            session,
            kind,
            project_id=caller_of(request).project_id,
            cursor=cursor,
            limit=limit,
            **equals,
        )


def choices(request: Asked, kind: type[Listed], **equals: str | None) -> list[Listed]:
    """The newest objects, as many as a list to choose from can hold."""
    return list(listed(request, kind, limit=MOST_AT_ONCE, **equals).items)


def names(request: Asked, kind: type[T], ids: set[str | None]) -> dict[str, str]:
    """Names of objects by their id; those that are gone are left out."""
    query = select(kind.id, kind.name).where(
        kind.project_id == caller_of(request).project_id,
        kind.id.in_([object_id for object_id in ids if object_id]),
    )
    with service_of(request).database.reading() as session:
        return {row.id: row.name for row in session.execute(query)}
