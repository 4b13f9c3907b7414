from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from llmsynth_serving.accounts import web_sessions
from llmsynth_serving.accounts.keys import create_key, find_caller
from llmsynth_serving.database.records import ApiKey, Project, Record, WebSession, now
from llmsynth_serving.database.sessions import Database
from sqlalchemy.orm import Session


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    database = Database(f"sqlite:///{tmp_path / 'service.db'}")
    Record.metadata.create_all(database.engine)
    with database.session() as session:
        session.add(Project(id="p1", name="one"))
        session.flush()
        yield session
    database.close()


def signed_in(session: Session) -> tuple[ApiKey, str]:
    key, text = create_key(session, project_id="p1", name="k", scope="write")
    caller = find_caller(session, text)
    assert caller is not None
    token = web_sessions.begin(session, caller, hours=1)
    session.flush()
    return key, token


def test_a_session_stands_for_its_key(session: Session) -> None:
    key, token = signed_in(session)
    caller = web_sessions.find(session, token)
    assert caller is not None
    assert (caller.key_id, caller.scope) == (key.id, "write")
    assert web_sessions.find(session, token + "x") is None


def test_signing_out_ends_it(session: Session) -> None:
    _, token = signed_in(session)
    web_sessions.end(session, token)
    assert web_sessions.find(session, token) is None


def test_it_ends_with_its_key_and_with_its_time(session: Session) -> None:
    key, token = signed_in(session)
    key.revoked_at = now()
    session.flush()
    assert web_sessions.find(session, token) is None
    key.revoked_at = None
    session.query(WebSession).one().expires_at = now() - timedelta(seconds=1)
    session.flush()
    assert web_sessions.find(session, token) is None


def test_what_ended_is_forgotten_and_no_token_is_kept(session: Session) -> None:
    _, token = signed_in(session)
    old = session.query(WebSession).one()
    assert token not in (old.token_hash, web_sessions.form_token(token))
    old.expires_at = now() - timedelta(seconds=1)
    session.flush()
    signed_in(session)
    assert session.query(WebSession).count() == 1
