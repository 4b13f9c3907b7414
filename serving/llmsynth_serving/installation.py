"""The first start: databases in their newest form, a project, and the first key."""

from __future__ import annotations

from sqlalchemy import func, select

from llmsynth_serving.database.records import ApiKey
from llmsynth_serving.database.sessions import Database
from llmsynth_serving.database.upgrade import upgrade
from llmsynth_serving.objects import keys
from llmsynth_serving.objects.projects import open_project
from llmsynth_serving.queue.durable import prepare_queue
from llmsynth_serving.settings import ServiceSettings


def migrate(settings: ServiceSettings) -> None:
    """Bring both databases to the form of this version; again is harmless."""
    prepare_queue(settings.queue)
    database = Database(settings.database)
    try:
        upgrade(database)
    finally:
        database.close()


def first_key(settings: ServiceSettings) -> str | None:
    """An admin key for the default project, the first time; None once there is any key."""
    database = Database(settings.database)
    try:
        with database.session() as session:
            if session.scalar(select(func.count()).select_from(ApiKey)):
                return None
            project = open_project(session)
            _, text = keys.create(session, project_id=project.id, name="first", scope="admin")
            return text
    finally:
        database.close()
