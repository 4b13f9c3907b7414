"""Projects: who owns what."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from llmsynth_serving.database.records import Project
from llmsynth_serving.objects.refusals import MissingObjectError

DEFAULT = "default"


def open_project(session: Session, name: str = DEFAULT) -> Project:
    """The project of this name, made where there is none."""
    project = session.scalar(select(Project).where(Project.name == name))
    if project is None:
        project = Project(name=name)
        session.add(project)
        session.flush()
    return project


def find_project(session: Session, name: str) -> Project:
    """The project of this name.

    Raises:
        MissingObjectError: there is none.
    """
    project = session.scalar(select(Project).where(Project.name == name))
    if project is None:
        raise MissingObjectError(f"There is no project {name!r}.")
    return project
