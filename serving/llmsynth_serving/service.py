"""What every request and page works with: the stores and the queue of one service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from llmsynth_serving.database.sessions import Database
from llmsynth_serving.queue.backlog import Backlog
from llmsynth_serving.settings import ServiceSettings
from llmsynth_serving.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Service:
    """The service's parts, opened once a process."""

    settings: ServiceSettings
    database: Database
    storage: Storage
    backlog: Backlog

    @classmethod
    def open(cls, settings: ServiceSettings) -> Self:
        """Connect to everything that the settings name."""
        database = Database(settings.database)
        return cls(
            settings=settings,
            database=database,
            storage=Storage(settings.storage),
            backlog=Backlog(database, settings),
        )

    def close(self) -> None:
        """Give back all connections."""
        self.backlog.close()
        self.database.close()
