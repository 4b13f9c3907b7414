"""Why a request is refused: errors that become problem documents with their own status."""

from __future__ import annotations

from typing import ClassVar

from llmsynth.errors import LlmsynthError


class RefusalError(LlmsynthError):
    """A request that the service does not carry out."""

    status: ClassVar[int] = 400


class RefusedInputError(RefusalError, ValueError):
    """Something in the request is wrong."""


class NotSignedInError(RefusalError):
    """No key, or none that is valid."""

    status = 401
    hint = "Send `Authorization: Bearer KEY`; `llmsynth-serve keys create` makes a key."


class ForbiddenError(RefusalError):
    """The key's scope does not allow it."""

    status = 403


class MissingObjectError(RefusalError, LookupError):
    """No such object in the caller's project."""

    status = 404


class ConflictError(RefusalError):
    """It contradicts the present state of the object."""

    status = 409


class ChangedMeanwhileError(RefusalError):
    """The object is not in the version that the request was made for."""

    status = 412
    hint = "Read it again, and send its new ETag in If-Match."


class TooLargeError(RefusalError):
    """More bytes, rows or columns than the service takes."""

    status = 413


class QuotaError(RefusalError):
    """The key's allowance is used up."""

    status = 429


class OutdatedDatabaseError(RefusalError):
    """The database's form is not the one that this version works with."""

    status = 503
    hint = "Stop the service, back the database up, and run `llmsynth-serve migrate`."


class StillAnsweringError(ConflictError):
    """The same request is being answered already."""

    retry_seconds: ClassVar[float] = 1.0
    hint = "Send it again in a moment, with the same Idempotency-Key."


class TooManyRequestsError(RefusalError):
    """The allowance of requests is used up for now.

    Args:
        retry_seconds: until the next is allowed.
    """

    status = 429

    def __init__(self, retry_seconds: float) -> None:
        super().__init__("Too many requests.", hint=f"Wait {retry_seconds:.1f} seconds.")
        self.retry_seconds = retry_seconds
