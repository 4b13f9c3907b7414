"""What is seen of jobs from outside while processes die: who works on which, and how far it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from llmsynth_serving.database.records import Job
from llmsynth_serving.database.sessions import Database
from llmsynth_serving.queue.leases import LEASES, STARTING
from llmsynth_serving.settings import ServiceSettings
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

LOOK_SECONDS = 0.2
NEARLY = 0.9
"""A note of progress is up to a second older than the checkpoint after it."""


@dataclass
class Attempt:
    """One worker's work on one job, as its notes of progress show it."""

    job_id: str
    kind: str
    number: int
    worker: str
    first: float | None = None
    last: float = 0.0
    checkpoint: float = 0.0
    """Progress when the last checkpoint was seen."""


@dataclass
class Interruption:
    """A job whose worker was killed."""

    job_id: str
    kind: str
    worker: str
    moment: float
    checkpoint: float
    live_at: float | None = None
    """When another worker that takes jobs was first seen: at once, unless all were gone."""
    taken_up_at: float | None = None
    """When another worker began to work on it; None where it had ended before it was noticed."""
    resumed_at: float | None = None

    def seconds(self, since: float | None) -> float | None:
        """From the kill, or a later moment, until it was taken up."""
        if self.taken_up_at is None:
            return None
        return round(self.taken_up_at - max(self.moment, since or self.moment), 2)


class Watcher(threading.Thread):
    """Looks at the database and the work folder several times a second until it is closed."""

    def __init__(self, settings: ServiceSettings) -> None:
        super().__init__(name="watcher", daemon=True)
        self._database, self._leases = Database(settings.database), Database(settings.leases)
        self._work = settings.work_folder
        self._parts = settings.home / "files" / "parts"
        self.workers = ""
        """Names of those that hold a lease and take jobs."""
        self._dead: set[int] = set()
        self._ending = threading.Event()
        self._stamps: dict[str, int] = {}
        self.attempts: dict[tuple[str, int], Attempt] = {}
        self.interruptions: list[Interruption] = []
        self.ended: dict[str, str] = {}
        """State and result when first seen."""
        self.changed_after_end: list[str] = []
        self.drawn_twice: list[str] = []
        self.kinds: dict[str, str] = {}
        self._lock = threading.Lock()

    def run(self) -> None:
        """Look until `close`; an outage of the database is waited out."""
        while not self._ending.wait(LOOK_SECONDS):
            try:
                with self._database.reading() as session:
                    jobs = session.scalars(select(Job)).all()
                with self._leases.reading() as session:
                    ready = select(LEASES.c.worker).where(LEASES.c.queues != STARTING)
                    self.workers = " ".join(session.scalars(ready))
            except DBAPIError:
                continue
            with self._lock:
                self._take(jobs)
                self._note_live()

    def close(self) -> None:
        """Stop looking."""
        self._ending.set()
        self.join()
        self._database.close()
        self._leases.close()

    def killed(self, pid: int) -> None:
        """Note that a worker is dead by now, and with it the attempts it was at."""
        with self._lock:
            self._dead.add(pid)
            latest: dict[str, Attempt] = {}
            for attempt in self.attempts.values():
                known = latest.get(attempt.job_id)
                if known is None or known.number < attempt.number:
                    latest[attempt.job_id] = attempt
            for attempt in latest.values():
                if _process(attempt.worker) == pid and attempt.job_id not in self.ended:
                    self.interruptions.append(
                        Interruption(
                            job_id=attempt.job_id,
                            kind=attempt.kind,
                            worker=attempt.worker,
                            moment=time.monotonic(),
                            checkpoint=attempt.checkpoint,
                        )
                    )
            self._note_live()

    def _note_live(self) -> None:
        # Leases of the dead stay until another worker has noticed; numbers may come again.
        if all(_process(name) in self._dead for name in self.workers.split()):
            return
        for interruption in self.interruptions:
            if interruption.live_at is None:
                interruption.live_at = time.monotonic()

    def _take(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            self.kinds[job.id] = job.kind
            outcome = f"{job.state} {job.result} {job.error}"
            if job.id in self.ended and self.ended[job.id] != outcome:
                self.changed_after_end.append(job.id)
            if job.finished_at is not None:
                self.ended[job.id] = outcome
            elif job.state == "running" and job.worker:
                self._see(job)
        for part in self._parts.glob("*/*.parquet"):
            self._see_part(part)

    def _see(self, job: Job) -> None:
        key = (job.id, job.attempts)
        if key not in self.attempts:
            self.attempts[key] = Attempt(job.id, job.kind, job.attempts, str(job.worker))
            self._taken_up(job)
        attempt = self.attempts[key]
        before = self.attempts.get((job.id, job.attempts - 1))
        done = float(job.progress.get("done", 0.0)) if job.progress else 0.0
        stale = before is not None and attempt.first is None and done == before.last
        if job.progress and not stale:
            if attempt.first is None:
                attempt.first = done
                self._resumed(job, done)
            attempt.last = done
        self._see_checkpoint(job, attempt)

    def _see_checkpoint(self, job: Job, attempt: Attempt) -> None:
        for file, stamp in self._checkpoint_files(job).items():
            if self._stamps.get(file) != stamp:
                self._stamps[file] = stamp
                attempt.checkpoint = attempt.last
            else:
                attempt.checkpoint = max(attempt.checkpoint, self._inherited(job))

    def _checkpoint_files(self, job: Job) -> dict[str, int]:
        """When each was written; a job that ends takes its folder along at any moment."""
        with suppress(FileNotFoundError):
            found = list((self._work / job.id).glob("checkpoint/*.safetensors"))
            return {str(file): file.stat().st_mtime_ns for file in found}
        return {}

    def _inherited(self, job: Job) -> float:
        before = self.attempts.get((job.id, job.attempts - 1))
        return before.checkpoint if before is not None else 0.0

    def _see_part(self, part: Path) -> None:
        try:
            stamp = part.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if self._stamps.setdefault(str(part), stamp) != stamp:
            self._stamps[str(part)] = stamp
            self.drawn_twice.append(f"{part.parent.name}/{part.name}")

    def _taken_up(self, job: Job) -> None:
        for interruption in self.interruptions:
            is_it = interruption.job_id == job.id and interruption.taken_up_at is None
            if is_it and interruption.worker != job.worker:
                interruption.taken_up_at = time.monotonic()

    def _resumed(self, job: Job, done: float) -> None:
        for interruption in self.interruptions:
            if interruption.job_id == job.id and interruption.resumed_at is None:
                interruption.resumed_at = done


@dataclass(frozen=True, kw_only=True)
class Account:
    """What the interruptions came to."""

    interrupted: int
    seconds_since_kill: list[float]
    """Until another worker was at it."""
    seconds_since_live: list[float]
    """The same, but counted from the first moment at which another worker was there to take it."""
    never_taken_up: list[str]
    with_checkpoint: int
    from_zero: list[str]
    drawn_twice: list[str] = field(default_factory=list)


def account(watcher: Watcher) -> Account:
    """Count what became of interrupted jobs.

    A fit counts as resumed where it began near its checkpoint, a sample where no part that was
    there was drawn again.
    """
    seen = watcher.interruptions
    fits = [i for i in seen if i.kind == "fit" and i.checkpoint > 0]
    resumed = [i for i in fits if i.resumed_at is not None]
    return Account(
        interrupted=len(seen),
        seconds_since_kill=[s for i in seen if (s := i.seconds(i.moment)) is not None],
        seconds_since_live=[s for i in seen if (s := i.seconds(i.live_at)) is not None],
        never_taken_up=[
            i.job_id for i in seen if i.taken_up_at is None and i.job_id not in watcher.ended
        ],
        with_checkpoint=len(resumed),
        from_zero=[i.job_id for i in resumed if (i.resumed_at or 0) < NEARLY * i.checkpoint],
        drawn_twice=watcher.drawn_twice,
    )


def _process(worker: str) -> int:
    """The middle of a worker's name is its process."""
    return int(worker.split("-")[-2])
