"""Where a service keeps its things, where it listens, and what it allows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from llmsynth.errors import SettingsError

PREFIX = "LLMSYNTH_SERVE_"
BLOCK_ROWS = 16_384
"""Parts that begin at its multiples are bit for bit those of a single run; the library's
`SHARD_ROWS`, told here so that reading the settings loads no model library."""


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """Everything an operator may set; each field is also the environment variable `PREFIX` + name.

    Raises:
        SettingsError: a value out of range.
    """

    home: Path = Path("llmsynth-service")
    """Folder of the embedded databases and files; made by `llmsynth-serve init`."""
    database_url: str = ""
    """SQLAlchemy address of tables, keys and jobs; empty: a SQLite file in `home`."""
    queue_url: str = ""
    """Address of the queue; empty: PostgreSQL where `database_url` is, else a file in `home`."""
    storage_url: str = ""
    """fsspec address of the files, e.g. `s3://bucket/prefix`; empty: a folder in `home`."""
    work_path: str = ""
    """Folder for checkpoints of running jobs, shared by all workers; empty: one in `home`."""
    host: str = "127.0.0.1"
    port: int = 8321
    max_upload_bytes: int = 2 << 30
    max_table_rows: int = 50_000_000
    max_table_columns: int = 2_000
    max_small_rows: int = 1_000
    """Most rows that `POST /v1/rows` answers at once."""
    small_rows_seconds: float = 0.9
    """How long it waits for them before it makes a job of the request."""
    requests_per_minute: int = 1_200
    """Rate limit of one key at one API process: where N answer, a key may make up to N times as
    many, if its connections come to all of them."""
    secure_cookies: bool = False
    """Send session cookies over HTTPS only; set it wherever TLS ends before the service."""
    session_hours: float = 12.0
    """How long a browser stays signed in."""
    lease_seconds: float = 8.0
    """A worker silent for so long is taken for dead, and its jobs go to another."""
    beat_seconds: float = 2.0
    """How often a worker says that it is alive."""
    poll_seconds: float = 1.0
    """How often a worker looks for jobs."""
    cpu_jobs: int = 1
    """Jobs of the `cpu` queue that one worker runs at once."""
    gpu_memory_gb: float = 0.0
    """GPU memory that a worker of the `gpu` queue declares; jobs that ask for more wait for another
    worker. 0 declares nothing, which is enough only for jobs that ask for nothing."""
    drain_seconds: float = 10.0
    """How long a worker that is told to end lets its jobs go on; what is left goes to others."""
    part_rows: int = 65_536
    """A sample is drawn in parts of so many rows; those of a lost worker are not drawn again."""
    shard_rows: int = 524_288
    """A sample of more rows is divided into shards, which several workers draw at once."""
    ray_address: str = ""
    """Ray cluster for jobs too large for one worker, as `host:6379`; empty: none."""
    ray_rows: int = 10_000_000
    """A sample of more rows is drawn there, and a fit on more is trained there."""
    ray_workers: int = 0
    """Its processes for one job; 0: a sample takes what room there is, and fits stay here."""
    job_retention_days: float = 30.0
    """Jobs that ended so long ago are removed, with what is left of them in the queue."""
    table_retention_days: float = 0.0
    """Generated tables so old are removed with their files; 0 keeps them."""

    def __post_init__(self) -> None:
        checks = {
            "port": 0 <= self.port <= 65535,
            "max_upload_bytes": self.max_upload_bytes > 0,
            "max_table_rows": self.max_table_rows > 0,
            "max_table_columns": self.max_table_columns > 0,
            "requests_per_minute": self.requests_per_minute > 0,
            "lease_seconds": self.lease_seconds > 2 * self.beat_seconds > 0,
            "session_hours": self.session_hours > 0,
            "small_rows_seconds": self.small_rows_seconds > 0,
            "poll_seconds": self.poll_seconds > 0,
            "cpu_jobs": self.cpu_jobs >= 1,
            "gpu_memory_gb": 0 <= self.gpu_memory_gb < float("inf"),
            "drain_seconds": self.drain_seconds >= 0,
            "part_rows": self.part_rows > 0 and self.part_rows % BLOCK_ROWS == 0,
            "shard_rows": self.shard_rows > 0 and self.shard_rows % max(self.part_rows, 1) == 0,
            "ray_rows": self.ray_rows > 0,
            "ray_workers": self.ray_workers >= 0,
            "job_retention_days": self.job_retention_days > 0,
            "table_retention_days": self.table_retention_days >= 0,
        }
        for name, holds in checks.items():
            if not holds:
                raise SettingsError(f"{PREFIX}{name.upper()} cannot be {getattr(self, name)!r}.")

    @property
    def database(self) -> str:
        """SQLAlchemy address of the metadata, driver included."""
        url = self.database_url or f"sqlite:///{(self.home / 'service.db').resolve()}"
        return url.replace("postgresql://", "postgresql+psycopg://", 1)

    @property
    def queue(self) -> str:
        """Address of the queue as DBOS takes it."""
        if self.queue_url:
            return self.queue_url
        if self.database_url.startswith("postgresql"):
            return self.database_url.replace("postgresql+psycopg://", "postgresql://", 1)
        return f"sqlite:///{(self.home / 'queue.db').resolve()}"

    @property
    def leases(self) -> str:
        """SQLAlchemy address of the queue's database, where workers beat."""
        return self.queue.replace("postgresql://", "postgresql+psycopg://", 1)

    @property
    def storage(self) -> str:
        """fsspec address of the files."""
        return self.storage_url or f"file://{(self.home / 'files').resolve()}"

    @property
    def work_folder(self) -> Path:
        """Where running jobs keep their checkpoints."""
        return Path(self.work_path) if self.work_path else (self.home / "work").resolve()

    def changed(self, **values: Any) -> Self:
        """These settings with some of them replaced."""
        return replace(self, **values)

    def to_environment(self) -> dict[str, str]:
        """The variables that make `from_environment` give these settings."""
        return {PREFIX + f.name.upper(): str(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Settings from `PREFIX` variables; what is not set keeps its default.

        Raises:
            SettingsError: an unknown variable of that prefix, or a value of the wrong type.
        """
        given = os.environ if environment is None else environment
        known = {PREFIX + field.name.upper(): field for field in fields(cls)}
        values: dict[str, object] = {}
        for name, text in given.items():
            if not name.startswith(PREFIX):
                continue
            if name not in known:
                raise SettingsError(f"{name} is no setting; there are {', '.join(sorted(known))}.")
            values[known[name].name] = _read(name, text, type(known[name].default))
        return cls(**values)  # type: ignore[arg-type]


def _read(name: str, text: str, kind: type[object]) -> object:
    if kind is bool:
        if text.lower() in ("1", "true", "yes", "on"):
            return True
        if text.lower() in ("0", "false", "no", "off"):
            return False
        raise SettingsError(f"{name} must be true or false, got {text!r}.")
    if kind is int or kind is float:
        return _number(name, text, kind)
    return Path(text) if issubclass(kind, Path) else text


def _number(name: str, text: str, kind: type[int] | type[float]) -> float:
    try:
        return kind(text)
    except ValueError as error:
        raise SettingsError(f"{name} must be of type {kind.__name__}, got {text!r}.") from error
