"""Who is alive: each worker's lease, and the reaper that gives a dead worker's jobs to others.

The queue itself brings back the jobs of a worker only when that very worker comes back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
import structlog

from llmsynth_serving.database.sessions import Database

LEASES = sa.Table(
    "llmsynth_worker",
    sa.MetaData(),
    sa.Column("worker", sa.String(120), primary_key=True),
    sa.Column("beat", sa.BigInteger, nullable=False),
    sa.Column("queues", sa.String(100), nullable=False),
    # By the database's clock, the only one that all machines share.
    sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
)
_log = structlog.get_logger("llmsynth.leases")


@dataclass(frozen=True, kw_only=True)
class Presence:
    """One worker, as its lease tells of it."""

    worker: str
    queues: tuple[str, ...]
    seconds: float
    """Since its last beat."""


def present(database: Database) -> list[Presence]:
    """Workers that beat, or did until lately; none where none ever did."""
    if not sa.inspect(database.engine).has_table(LEASES.name):
        return []
    with database.reading() as session:
        rows = session.execute(sa.select(LEASES, sa.func.now().label("moment"))).all()
    return [
        Presence(
            worker=row.worker,
            queues=tuple(row.queues.split(",")),
            seconds=max((_utc(row.moment) - _utc(row.seen_at)).total_seconds(), 0.0),
        )
        for row in rows
    ]


def _utc(moment: datetime | str) -> datetime:
    read = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read


class Watch:
    """Tells from beats alone who fell silent, by this machine's clock only."""

    def __init__(self, silent_seconds: float) -> None:
        self._silent_seconds = silent_seconds
        self._seen: dict[str, tuple[int | None, float]] = {}
        self._looked: float | None = None
        self._clock = 0.0

    def silent(self, beats: dict[str, int | None], moment: float) -> list[str]:
        """Workers whose beat has not changed for longer than allowed.

        Args:
            beats: last beat per worker; None for one that runs jobs and has no lease.
            moment: seconds of a clock that only goes forward.
        """
        # While the database or this process itself stood still, silence proves little: a long gap
        # counts as half of what is allowed, or every outage would end with workers taking each
        # other's jobs.
        gap = moment - self._looked if self._looked is not None else 0.0
        self._clock += min(gap, self._silent_seconds / 2)
        self._looked = moment
        self._seen = {
            worker: self._seen[worker]
            if worker in self._seen and self._seen[worker][0] == beat
            else (beat, self._clock)
            for worker, beat in beats.items()
        }
        latest = self._clock - self._silent_seconds
        return [worker for worker, (_, since) in self._seen.items() if since < latest]


class Reaper(threading.Thread):
    """Beats for one worker, and recovers the jobs of those that stopped.

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
        self._ending = threading.Event()
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
            if self._ending.wait(self._beat_seconds):
                return

    def close(self) -> None:
        """Stop beating and give the lease back, so that others take over at once."""
        self._ending.set()
        self.join(timeout=5)
        with self._database.session() as session:
            session.execute(LEASES.delete().where(LEASES.c.worker == self._worker))

    def _turn(self) -> None:
        if not self._has_table:
            # Two workers that start together both try; the later one finds it at its next turn.
            LEASES.create(self._database.engine, checkfirst=True)
            self._has_table = True
        self._beat += 1
        beats = self._beats()
        dead = self._watch.silent(beats, time.monotonic())
        self.is_first = self._worker == min(set(beats) - set(dead), default=self._worker)
        dead = [worker for worker in dead if worker != self._worker]
        if dead:
            _log.warning("workers_lost", workers=dead)
            self._recover(dead)
            with self._database.session() as session:
                session.execute(LEASES.delete().where(LEASES.c.worker.in_(dead)))

    def _beats(self) -> dict[str, int | None]:
        with self._database.session() as session:
            own = LEASES.c.worker == self._worker
            said = {"beat": self._beat, "queues": self._queues, "seen_at": sa.func.now()}
            changed = session.execute(LEASES.update().where(own).values(**said))
            if not changed.rowcount:  # type: ignore[attr-defined]
                session.execute(LEASES.insert().values(worker=self._worker, **said))
            rows = session.execute(sa.select(LEASES.c.worker, LEASES.c.beat)).all()
        beats: dict[str, int | None] = dict.fromkeys(self._running())
        beats.update({str(worker): int(beat) for worker, beat in rows})
        return beats
