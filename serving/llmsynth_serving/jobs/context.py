"""What a job's body is given: its order, its files, and somebody to report to."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from llmsynth.errors import InputError
from llmsynth.progress import Step
from llmsynth_serving.database.records import Job, Synthesizer, Table
from llmsynth_serving.database.sessions import Database
from llmsynth_serving.jobs.loss_curve import LossCurve
from llmsynth_serving.settings import ServiceSettings
from llmsynth_serving.storage import Storage

Message = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class JobContext:
    """One attempt at one job."""

    job_id: str
    project_id: str
    kind: str
    spec: Mapping[str, Any]
    work: Path
    """Folder that outlives an attempt: checkpoints, finished parts."""
    storage: Storage
    database: Database
    send: Callable[[Message], None]
    settings: ServiceSettings = field(default_factory=ServiceSettings)
    parent_id: str | None = None
    """Of a shard: the job that it is a part of."""
    curve: LossCurve = field(default_factory=LossCurve)
    attempt: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    """Part of every path that the attempt writes: a stalled attempt harms no other's files."""

    @classmethod
    def open(
        cls, job_id: str, settings: ServiceSettings, *, send: Callable[[Message], None]
    ) -> Self:
        """The context of a job that the database knows.

        Raises:
            InputError: it does not.
        """
        database = Database(settings.database)
        with database.session() as session:
            job = session.get(Job, job_id)
            if job is None:
                raise InputError(f"There is no job {job_id!r}.")
            work = settings.work_folder / job_id
            work.mkdir(parents=True, exist_ok=True, mode=0o700)
            return cls(
                job_id=job_id,
                project_id=job.project_id,
                kind=job.kind,
                spec=dict(job.spec),
                work=work,
                storage=Storage(settings.storage),
                database=database,
                send=send,
                settings=settings,
                parent_id=job.parent_id,
                curve=LossCurve(job.curve.get("points", ())),
            )

    def progress(self, step: Step) -> None:
        """Report how far the work has come."""
        progress: Message = {
            "stage": step.stage,
            "done": step.done,
            "total": step.total,
            "loss": step.loss,
            "seconds_left": step.seconds_left,
        }
        if step.loss is not None:
            self.curve.add(step.done / step.total, step.loss)
            progress["curve"] = {"points": self.curve.points}
        self.send({"progress": progress})

    @contextmanager
    def table(self, key: str = "table_id") -> Iterator[tuple[Table, Path]]:
        """The table that the order names, as its record and a local Parquet file.

        Raises:
            InputError: it is not there any more, or not of this project.
        """
        with self.database.session() as session:
            table = session.get(Table, self.spec[key])
        if table is None or table.project_id != self.project_id:
            raise InputError(f"{key}: there is no table {self.spec[key]!r}.")
        with self.storage.local_copy(table.path, self.work) as path:
            yield table, path

    @contextmanager
    def bundle(self, key: str = "synthesizer_id") -> Iterator[tuple[Synthesizer, Path]]:
        """The synthesizer that the order names, as its record and a local folder.

        Raises:
            InputError: it is not there any more, not of this project, or not fitted.
        """
        with self.database.session() as session:
            synthesizer = session.get(Synthesizer, self.spec[key])
        if synthesizer is None or synthesizer.project_id != self.project_id:
            raise InputError(f"{key}: there is no synthesizer {self.spec[key]!r}.")
        if synthesizer.path is None:
            raise InputError(f"{key}: the synthesizer {synthesizer.id} has not been fitted.")
        with self.storage.local_bundle(synthesizer.path, self.work) as path:
            yield synthesizer, path
