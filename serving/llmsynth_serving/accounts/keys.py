"""API keys: made once, shown once, kept as a hash."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Literal, get_args

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.orm import Session

from llmsynth.errors import InputError
from llmsynth_serving.database.records import ApiKey, now

Scope = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
MARK = "lls"
# The secret has 256 random bits, so the hash need not be slow for its own sake: the memory is kept
# small enough for a busy service, and `_verified` remembers the last keys that were right.
_HASHER = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who makes a request."""

    key_id: str
    project_id: str
    scope: Scope
    key_name: str
    max_rows: int | None = None
    max_running_jobs: int | None = None
    """The key's limits; None is no limit."""
    order_id: str | None = None
    """Id of the job that this request may make, where it may be sent again."""

    def may(self, scope: Scope) -> bool:
        """Whether the caller's scope includes another."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)


def create_key(
    session: Session,
    *,
    project_id: str,
    name: str,
    scope: Scope,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make a key; its text is returned here and nowhere else.

    Raises:
        InputError: an unknown scope, or an expiry in the past.
    """
    if scope not in SCOPES:
        raise InputError(f"scope must be one of {', '.join(SCOPES)}, got {scope!r}.")
    if expires_at is not None and expires_at <= now():
        raise InputError(f"expires_at must lie in the future, got {expires_at.isoformat()}.")
    secret = secrets.token_urlsafe(32)
    key = ApiKey(
        project_id=project_id,
        name=name,
        scope=scope,
        secret_hash=_HASHER.hash(secret),
        expires_at=expires_at,
    )
    session.add(key)
    session.flush()
    return key, f"{MARK}_{key.id}_{secret}"


def find_caller(session: Session, text: str) -> Caller | None:
    """The caller a key belongs to; None where the key is wrong, expired or revoked."""
    mark, _, rest = text.partition("_")
    key_id, _, secret = rest.partition("_")
    if mark != MARK or not key_id or not secret:
        return None
    key = session.get(ApiKey, key_id)
    if key is None or not _is_right(key.secret_hash, secret):
        return None
    return holder(key)


def holder(key: ApiKey) -> Caller | None:
    """Whoever proved to hold a key, as a caller; None where it is expired or revoked."""
    if key.revoked_at is not None:
        return None
    if key.expires_at is not None and key.expires_at <= now():
        return None
    scope = next(scope for scope in SCOPES if scope == key.scope)
    return Caller(
        key_id=key.id,
        project_id=key.project_id,
        scope=scope,
        key_name=key.name,
        max_rows=key.max_rows,
        max_running_jobs=key.max_running_jobs,
    )


def rotate_key(session: Session, key: ApiKey, *, name: str | None = None) -> tuple[ApiKey, str]:
    """Make a key like another one, and revoke that."""
    fresh = create_key(
        session,
        project_id=key.project_id,
        name=name or key.name,
        scope=next(scope for scope in SCOPES if scope == key.scope),
        expires_at=key.expires_at,
    )
    for limit in ("max_storage_bytes", "max_rows", "max_running_jobs"):
        setattr(fresh[0], limit, getattr(key, limit))
    key.revoked_at = now()
    return fresh


def _is_right(secret_hash: str, secret: str) -> bool:
    digest = sha256(secret.encode()).digest()
    known = _remembered(secret_hash)
    if known and hmac.compare_digest(known[0], digest):
        return True
    try:
        _HASHER.verify(secret_hash, secret)
    except (VerificationError, InvalidHashError):
        return False
    known[:] = [digest]
    return True


@lru_cache(maxsize=1024)
def _remembered(secret_hash: str) -> list[bytes]:
    """A place for the digest of the secret that fitted this hash, in this process's memory."""
    return []
