"""The shapes of requests and answers; the OpenAPI document is made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Self, TypeVar

from llmsynth_serving.database.records import Job, Report, Synthesizer, Table

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
class FitOrder:
    """What to fit; settings are those of the library's `Synthesizer`."""

    table_id: str
    name: str = "synthesizer"
    target: str | None = None
    max_minutes: float | None = None
    max_epochs: float | None = None
    keep_rare: bool = False
    drop_text: bool = False
    seed: int = 0

    def settings(self) -> Json:
        """The settings alone."""
        left_out = ("table_id", "name")
        return {name: getattr(self, name) for name in _names(type(self)) if name not in left_out}


@dataclass(frozen=True, kw_only=True)
class SampleOrder:
    """How many rows to draw, and under which conditions."""

    synthesizer_id: str
    rows: int
    name: str = "sample"
    where: Json = field(default_factory=dict)
    """Column to value, the same for all rows."""
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class EvaluationOrder:
    """Which table to judge, against which real ones."""

    table_id: str
    """The synthetic table."""
    train_id: str
    holdout_id: str
    name: str = "report"
    target: str | None = None
    seed: int = 0


def _names(kind: type) -> list[str]:
    return list(kind.__dataclass_fields__)  # type: ignore[attr-defined]


def _shared(kind: type, record: object) -> Json:
    return {name: getattr(record, name) for name in _names(kind)}
