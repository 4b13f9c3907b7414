from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from llmsynth_serving.accounts.keys import create_key, find_caller, rotate_key
from llmsynth_serving.database.records import ApiKey, Project, Record, now
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from llmsynth.errors import InputError


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    Record.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Project(id="p1", name="one"))
        session.flush()
        yield session
    engine.dispose()


def test_a_key_finds_its_project_and_is_kept_as_a_hash_only(session: Session) -> None:
    key, text = create_key(session, project_id="p1", name="laptop", scope="write")
    caller = find_caller(session, text)
    assert caller is not None
    assert (caller.project_id, caller.key_id, caller.scope) == ("p1", key.id, "write")
    assert text.split("_", 2)[2] not in key.secret_hash
    assert find_caller(session, text) == caller


@pytest.mark.parametrize("text", ["", "lls", "lls__", "lls_nobody_secret", "other_a_b", "a" * 500])
def test_what_is_no_key_finds_nobody(session: Session, text: str) -> None:
    assert find_caller(session, text) is None


def test_a_wrong_secret_finds_nobody_even_after_the_right_one(session: Session) -> None:
    _, text = create_key(session, project_id="p1", name="a", scope="read")
    assert find_caller(session, text)
    assert find_caller(session, text[:-1] + ("x" if text[-1] != "x" else "y")) is None


def test_an_expired_or_revoked_key_finds_nobody(session: Session) -> None:
    key, text = create_key(
        session, project_id="p1", name="a", scope="read", expires_at=now() + timedelta(days=1)
    )
    assert find_caller(session, text)
    key.expires_at = now() - timedelta(seconds=1)
    assert find_caller(session, text) is None
    key.expires_at = None
    key.revoked_at = now()
    assert find_caller(session, text) is None


def test_rotation_keeps_scope_and_limits_and_ends_the_old_key(session: Session) -> None:
    key, old = create_key(session, project_id="p1", name="a", scope="admin")
    key.max_rows = 7
    fresh, new = rotate_key(session, key)
    assert find_caller(session, old) is None
    assert find_caller(session, new) is not None
    assert (fresh.scope, fresh.max_rows) == ("admin", 7)


def test_scopes_include_the_ones_before(session: Session) -> None:
    _, text = create_key(session, project_id="p1", name="a", scope="write")
    caller = find_caller(session, text)
    assert caller is not None
    assert caller.may("read")
    assert caller.may("write")
    assert not caller.may("admin")


def test_a_key_is_refused_an_unknown_scope_or_a_past_expiry(session: Session) -> None:
    with pytest.raises(InputError, match="scope"):
        create_key(session, project_id="p1", name="a", scope="root")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expires_at"):
        create_key(session, project_id="p1", name="a", scope="read", expires_at=now())
    assert session.query(ApiKey).count() == 0
