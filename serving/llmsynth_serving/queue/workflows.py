"""The one durable workflow: run a job's process, then note what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from dbos import DBOS
from dbos._error import DBOSMaxStepRetriesExceeded
from sqlalchemy.exc import InterfaceError, OperationalError

from llmsynth_serving.queue.accounts import JobAccount
from llmsynth_serving.queue.backlog import Backlog
from llmsynth_serving.queue.children import Children
from llmsynth_serving.queue.durable import CRASHES_ALLOWED, JSON_ONLY, WORKFLOW
from llmsynth_serving.queue.leftovers import Leftovers

P = ParamSpec("P")
T = TypeVar("T")
ATTEMPTS = 4
"""Processes that may end without an answer before a job has failed; 1, 2 and 4 seconds between."""
OUTAGE_SECONDS = 3600.0
"""How long a worker waits for its database to come back before it gives up what it holds."""
NOTE_SECONDS = 1.0
"""Between two notes of progress, which are writes to a database."""
Outcome = dict[str, Any]


class LostJobError(RuntimeError):
    """The job's process ended without an answer; another attempt may go better."""


@dataclass(frozen=True, kw_only=True)
class WorkerState:
    """What the workflows of this process need; set once, before the queue is launched."""

    worker: str
    account: JobAccount
    backlog: Backlog
    children: Children
    leftovers: Leftovers


_state: list[WorkerState] = []


def use(state: WorkerState) -> None:
    """Give the workflows of this process their surroundings."""
    _state[:] = [state]


@DBOS.workflow(name=WORKFLOW, max_recovery_attempts=CRASHES_ALLOWED, serialization_type=JSON_ONLY)
async def job(job_id: str) -> Outcome:
    """Do a job to its end: a result, or an error that another attempt would meet again."""
    try:
        outcome = await attempt(job_id)
    except DBOSMaxStepRetriesExceeded as error:
        last = str(error.errors[-1]) if error.errors else "Its process ended without an answer."
        outcome = {"error": {"type": LostJobError.__name__, "detail": last}}
    await conclude(job_id, outcome)
    return {"job": job_id, "failed": "error" in outcome}


@DBOS.step(
    name="attempt",
    preemptible=True,
    retries_allowed=True,
    max_attempts=ATTEMPTS,
    interval_seconds=1,
    backoff_rate=2.0,
    should_retry=lambda error: isinstance(error, LostJobError),
)
async def attempt(job_id: str) -> Outcome:
    """One process's work on a job; being cancelled or fenced off kills the process.

    Raises:
        LostJobError: the process died, or met an error that may pass.
    """
    (state,) = _state
    if not await _despite_outages(state.account.start, job_id, state.worker):
        return {"skipped": True}
    notes = _Notes(state, job_id)
    async with state.children.working_on(job_id) as messages:
        async for message in messages:
            if not await notes.take(message.get("progress"), is_last="result" in message):
                return {"skipped": True}
            if "result" in message:
                return {"result": message["result"]}
            if "error" in message and message["permanent"]:
                return {"error": message["error"]}
            if "error" in message:
                raise LostJobError(message["error"]["detail"])
    raise LostJobError(f"Its process ended without an answer (worker {state.worker}).")


class _Notes:
    """Progress on its way to the database, the newest only and not too often."""

    def __init__(self, state: WorkerState, job_id: str) -> None:
        self._state, self._job_id = state, job_id
        self._newest: dict[str, Any] | None = None
        self._written = -NOTE_SECONDS

    async def take(self, progress: dict[str, Any] | None, *, is_last: bool) -> bool:
        """False where the job was cancelled, or is somebody else's by now."""
        self._newest = progress or self._newest
        if not is_last and time.monotonic() - self._written < NOTE_SECONDS:
            return True
        self._written = time.monotonic()
        # The event is refused once another worker owns the job; that ends this attempt.
        await DBOS.set_event_async("beat", time.time())
        newest, self._newest = self._newest, None
        return await _despite_outages(
            self._state.account.progress, self._job_id, self._state.worker, newest
        )


@DBOS.step(name="conclude", retries_allowed=True, max_attempts=5, interval_seconds=1)
async def conclude(job_id: str, outcome: Outcome) -> None:
    """Note a job's end; repeating it changes nothing."""
    (state,) = _state
    if "error" in outcome:
        await _despite_outages(state.account.fail, job_id, outcome["error"])
    elif "result" in outcome:
        whole = await _despite_outages(state.account.succeed, job_id, outcome["result"])
        if whole is not None:
            await _despite_outages(state.backlog.go_on, whole)
    await asyncio.to_thread(state.leftovers.clear, job_id)


async def _despite_outages(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    deadline = time.monotonic() + OUTAGE_SECONDS
    while True:
        try:
            return await asyncio.to_thread(function, *args, **kwargs)
        except (OperationalError, InterfaceError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(1)
