"""Browsers signed in with a key: they hold a token that ends, never the key itself."""

from __future__ import annotations

import hmac
import secrets
from datetime import timedelta
from hashlib import sha256

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from llmsynth_serving.accounts.keys import Caller, holder
from llmsynth_serving.database.records import ApiKey, WebSession, now

COOKIE = "llmsynth_session"


def begin(session: Session, caller: Caller, *, hours: float) -> str:
    """Sign a browser in; returns the token for its cookie. Sessions that ended are forgotten."""
    session.execute(delete(WebSession).where(WebSession.expires_at <= now()))
    token = secrets.token_urlsafe(32)
    ends = now() + timedelta(hours=hours)
    session.add(WebSession(key_id=caller.key_id, token_hash=_hash(token), expires_at=ends))
    return token


def find(session: Session, token: str) -> Caller | None:
    """Whose session it is; None where it ended, or its key did."""
    found = session.scalar(select(WebSession).where(WebSession.token_hash == _hash(token)))
    if found is None or found.expires_at <= now():
        return None
    key = session.get(ApiKey, found.key_id)
    return None if key is None else holder(key)


def end(session: Session, token: str) -> None:
    """Sign a browser out."""
    session.execute(delete(WebSession).where(WebSession.token_hash == _hash(token)))


def form_token(token: str) -> str:
    """What every form of a session carries: no other site can know it, and it tells no token."""
    return hmac.new(token.encode(), b"form", sha256).hexdigest()


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
