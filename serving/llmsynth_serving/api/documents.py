"""The shapes of answers; the OpenAPI document is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

if TYPE_CHECKING:
    # The client reads these documents without a database's library.
    from llmsynth_serving.database.records import (
        ApiKey,
        AuditEntry,
        Job,
        Report,
        Synthesizer,
        Table,
    )

T = TypeVar("T")
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Listing(Generic[T]):
    """A page of a list, newest first."""

    items: list[T]
    next_cursor: str | None = None
    """Give it as `cursor` to get the next page; null at the end."""


@dataclass(frozen=True, kw_only=True)
class TableDocument:
    """A table, uploaded or generated."""

    id: str
    name: str
    origin: str
    created_at: datetime
    num_rows: int
    num_columns: int
    num_bytes: int
    synthesizer_id: str | None
    job_id: str | None
    schema: Json
    profile: Json

    @classmethod
    def of(cls, record: Table) -> Self:
        """The document of a record."""
        return cls(**_shared(cls, record))


@dataclass(frozen=True, kw_only=True)
class SplitDocument:
    """The two tables that one was parted into."""

    train: TableDocument
    holdout: TableDocument


@dataclass(frozen=True, kw_only=True)
class SynthesizerDocument:
    """A synthesizer: being fitted, ready, or failed."""

    id: str
    name: str
    state: str
    created_at: datetime
    table_id: str | None
    job_id: str | None
    settings: Json
    num_bytes: int
    provenance: Json

    @classmethod
    def of(cls, record: Synthesizer) -> Self:
        """The document of a record."""
        return cls(**_shared(cls, record))


@dataclass(frozen=True, kw_only=True)
class ReportDocument:
    """An evaluation report; its files are at `/v1/reports/{id}/html` and `/json`."""

    id: str
    name: str
    created_at: datetime
    table_id: str | None
    job_id: str | None
    summary: Json

    @classmethod
    def of(cls, record: Report) -> Self:
        """The document of a record."""
        return cls(**_shared(cls, record))


@dataclass(frozen=True, kw_only=True)
class JobDocument:
    """A job: what was asked, how far it is, what came of it."""

    id: str
    name: str
    kind: str
    state: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempts: int
    progress: Json
    result: Json | None
    error: Json | None
    spec: Json

    @classmethod
    def of(cls, record: Job) -> Self:
        """The document of a record."""
        return cls(**_shared(cls, record))


@dataclass(frozen=True, kw_only=True)
class PreviewDocument:
    """The first rows of a table, cells as JSON values."""

    columns: list[str]
    rows: list[list[Any]]
    num_rows: int
    """Of the whole table."""


@dataclass(frozen=True, kw_only=True)
class RowsDocument:
    """Rows drawn at once; they are kept nowhere."""

    columns: list[str]
    rows: list[list[Any]]
    seconds: float
    is_partial: bool


@dataclass(frozen=True, kw_only=True)
class KeyDocument:
    """A key, without the key itself."""

    id: str
    name: str
    scope: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    max_storage_bytes: int | None
    max_rows: int | None
    max_running_jobs: int | None

    @classmethod
    def of(cls, record: ApiKey) -> Self:
        """The document of a record."""
        return cls(**_shared(cls, record))


@dataclass(frozen=True, kw_only=True)
class NewKeyDocument:
    """A key just made; its text is shown here and never again."""

    key: str
    details: KeyDocument


@dataclass(frozen=True, kw_only=True)
class AuditDocument:
    """An entry of the audit log."""

    id: str
    created_at: datetime
    key_id: str | None
    action: str
    object_kind: str
    object_id: str | None
    outcome: str
    details: Json

    @classmethod
    def of(cls, record: AuditEntry) -> Self:
        """The document of a record."""
        return cls(**_shared(cls, record))


def _names(kind: type) -> list[str]:
    return list(kind.__dataclass_fields__)  # type: ignore[attr-defined]


def _shared(kind: type, record: object) -> Json:
    return {name: getattr(record, name) for name in _names(kind)}
