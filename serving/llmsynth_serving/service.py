"""What every request and page works with: the stores and the queue of one service."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Self

from llmsynth_serving.accounts.known_callers import KnownCallers
from llmsynth_serving.database.sessions import Database
from llmsynth_serving.processes.forks import Forks
from llmsynth_serving.queue.backlog import Backlog
from llmsynth_serving.queue.leases import Presence, present
from llmsynth_serving.queue.places import able
from llmsynth_serving.queue.submitter import Submitter
from llmsynth_serving.rows.desk import RowDesk
from llmsynth_serving.settings import ServiceSettings
from llmsynth_serving.storage import Storage

READER = "llmsynth_serving.objects.ingest"


@dataclass(frozen=True, kw_only=True)
class Service:
    """The service's parts, opened once a process."""

    settings: ServiceSettings
    database: Database
    storage: Storage
    backlog: Backlog
    submitter: Submitter
    desk: RowDesk
    readers: Forks
    """Processes that read uploaded files."""
    callers: KnownCallers
    leases: Database
    """The queue's own database, where workers beat."""

    @classmethod
    def open(cls, settings: ServiceSettings) -> Self:
        """Connect to everything that the settings name."""
        database = Database(settings.database)
        backlog = Backlog(database, settings)
        return cls(
            settings=settings,
            database=database,
            storage=Storage(settings.storage),
            backlog=backlog,
            submitter=Submitter(backlog),
            desk=RowDesk(settings),
            readers=Forks(READER, {**os.environ, **settings.to_environment()}),
            callers=KnownCallers(),
            leases=Database(settings.leases),
        )

    def present(self) -> list[Presence]:
        """Workers that hold a lease; one that died keeps it until another notices."""
        return present(self.leases)

    def workers(self) -> int:
        """How many they are."""
        return len(self.present())

    def workers_for(self, asked_gb: float | None) -> int:
        """How many could do a job that asks for so much GPU memory, or for none."""
        there = self.present()
        return len(there) if asked_gb is None else able(there, asked_gb).total()

    def close(self) -> None:
        """Give back all connections."""
        self.desk.close()
        self.readers.close()
        self.submitter.close()
        self.backlog.close()
        self.leases.close()
        self.database.close()
