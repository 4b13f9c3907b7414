"""Who is alive: each worker's lease, and the reaper that gives a dead worker's jobs to others.

The queue itself brings back the jobs of a worker only when that very worker comes back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
import structlog

from llmsynth_serving.database.sessions import Database
from llmsynth_serving.queue.worker_names import has_ended

LEASES = sa.Table(
    "llmsynth_worker",
    sa.MetaData(),
    sa.Column("worker", sa.String(120), primary_key=True),
    sa.Column("beat", sa.BigInteger, nullable=False),
    sa.Column("queues", sa.String(100), nullable=False),
    # By the database's clock, the only one that all machines share.
    sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
)
STARTING = ""
"""Queues of a worker whose imports are not done: it beats, watches others, and takes no job."""
_log = structlog.get_logger("llmsynth.leases")


@dataclass(frozen=True, kw_only=True)
class Presence:
    """One worker, as its lease tells of it."""

    worker: str
    queues: tuple[str, ...]
    seconds: float
    """Since its last beat."""


def present(database: Database) -> list[Presence]:
    """Workers that take jobs, and beat or did until lately; none where none ever did."""
    if not sa.inspect(database.engine).has_table(LEASES.name):
        return []
    takes_jobs = LEASES.c.queues != STARTING
    with database.reading() as session:
        rows = session.execute(
            sa.select(LEASES, sa.func.now().label("moment")).where(takes_jobs)
        ).all()
    return [
        Presence(
            worker=row.worker,
            queues=tuple(row.queues.split(",")),
            seconds=_age(row.seen_at, row.moment),
        )
        for row in rows
    ]


def _age(seen_at: datetime | str, moment: datetime | str) -> float:
    return max((_utc(moment) - _utc(seen_at)).total_seconds(), 0.0)


def _utc(moment: datetime | str) -> datetime:
    read = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read


class Watch:
    """Tells who fell silent: by this machine's clock, and sooner where the database's agrees."""

    def __init__(self, silent_seconds: float) -> None:
        self._silent_seconds = silent_seconds
        self._seen: dict[str, tuple[int | None, float]] = {}
        self._looked: float | None = None
        self._clock = 0.0
        self._steady_since = 0.0

    def silent(
        self,
        beats: Mapping[str, int | None],
        moment: float,
        ages: Mapping[str, float] | None = None,
    ) -> list[str]:
        """Workers whose beat has not changed for longer than allowed.

        Who looks for the first time has seen no silence yet, but the database may have: where its
        clock says that a beat is too old, half of the time without another one is proof enough,
        in which a live worker would have beaten.

        Args:
            beats: last beat per worker; None for one that runs jobs and has no lease.
            moment: seconds of a clock that only goes forward.
            ages: seconds since the last beat per worker, by the database's clock.
        """
        # While the database or this process itself stood still, silence proves little: a long gap
        # counts as half of what is allowed, or every outage would end with workers taking each
        # other's jobs.
        half = self._silent_seconds / 2
        gap = moment - self._looked if self._looked is not None else 0.0
        self._clock += min(gap, half)
        if gap > half:
            self._steady_since = self._clock
        self._looked = moment
        self._seen = {
            worker: self._seen[worker]
            if worker in self._seen and self._seen[worker][0] == beat
            else (beat, self._clock)
            for worker, beat in beats.items()
        }
        old = {worker for worker, age in (ages or {}).items() if age > self._silent_seconds}
        return [
            worker
            for worker, (_, since) in self._seen.items()
            if self._is_dead(since, worker in old)
        ]

    def _is_dead(self, since: float, is_old: bool) -> bool:
        if is_old and self._clock - max(since, self._steady_since) > self._silent_seconds / 2:
            return True
        return self._clock - since > self._silent_seconds


class Reaper(threading.Thread):
    """Beats for one worker, and recovers the jobs of those that stopped.

    It beats and watches from its start on, but takes jobs, its own queues' and those of the dead,
    only after `open`: by then a worker that started in place of a dead one has watched it already.

    Args:
        database: where the leases are; the queue's own database.
        queues: which jobs it takes.
        running: the workers that own a running job, by the queue's account.
        recover: gives the jobs of dead workers back to their queues; must be idempotent, since
            several reapers may call it for the same worker.
    """

    def __init__(
        self,
        worker: str,
        database: Database,
        *,
        queues: Sequence[str],
        beat_seconds: float,
        lease_seconds: float,
        running: Callable[[], set[str]],
        recover: Callable[[list[str]], None],
    ) -> None:
        super().__init__(name="reaper", daemon=True)
        self.last_beat = time.monotonic()
        self.is_first = False
        """Of all workers alive, the one that does what only one has to do."""
        self._worker, self._database, self._beat_seconds = worker, database, beat_seconds
        self._queues = ",".join(queues)
        self._watch = Watch(lease_seconds)
        self._running, self._recover = running, recover
        self._ending, self._bell = threading.Event(), threading.Event()
        self._is_open = False
        self._beat = 0
        self._has_table = False

    def run(self) -> None:
        """Beat until `close`; a failed beat is tried again at the next."""
        while True:
            try:
                self._turn()
                self.last_beat = time.monotonic()
            except Exception as error:  # noqa: BLE001 the thread must outlive any outage
                _log.warning("reaper_failed", worker=self._worker, error=repr(error))
            self._bell.wait(self._beat_seconds)
            self._bell.clear()
            if self._ending.is_set():
                return

    def open(self) -> None:
        """From now on the worker takes jobs."""
        self._is_open = True
        self._bell.set()

    def close(self) -> None:
        """Stop beating and give the lease back, so that others take over at once."""
        self._ending.set()
        self._bell.set()
        self.join(timeout=5)
        with self._database.session() as session:
            session.execute(LEASES.delete().where(LEASES.c.worker == self._worker))

    def _turn(self) -> None:
        if not self._has_table:
            # Two workers that start together both try; the later one finds it at its next turn.
            LEASES.create(self._database.engine, checkfirst=True)
            self._has_table = True
        self._beat += 1
        is_open = self._is_open
        beats, ages = self._beats(self._queues if is_open else STARTING)
        silent = set(self._watch.silent(beats, time.monotonic(), ages))
        # One that was killed on this machine is seen at once; of all others, silence tells.
        dead = [worker for worker in beats if worker in silent or has_ended(worker)]
        self.is_first = self._worker == min(set(beats) - set(dead), default=self._worker)
        dead = [worker for worker in dead if worker != self._worker]
        if dead and is_open:
            _log.warning("workers_lost", workers=dead)
            self._recover(dead)
            with self._database.session() as session:
                session.execute(LEASES.delete().where(LEASES.c.worker.in_(dead)))

    def _beats(self, queues: str) -> tuple[dict[str, int | None], dict[str, float]]:
        """Last beats of all workers, and their ages by the database's clock."""
        with self._database.session() as session:
            own = LEASES.c.worker == self._worker
            said = {"beat": self._beat, "queues": queues, "seen_at": sa.func.now()}
            changed = session.execute(LEASES.update().where(own).values(**said))
            if not changed.rowcount:  # type: ignore[attr-defined]
                session.execute(LEASES.insert().values(worker=self._worker, **said))
            rows = session.execute(sa.select(LEASES, sa.func.now().label("moment"))).all()
        beats: dict[str, int | None] = dict.fromkeys(self._running())
        beats.update({str(row.worker): int(row.beat) for row in rows})
        return beats, {str(row.worker): _age(row.seen_at, row.moment) for row in rows}
