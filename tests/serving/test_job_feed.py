"""Many watchers of jobs, and one question to the database for all of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from llmsynth_serving.api import job_feed
from llmsynth_serving.api.job_feed import JobFeed
from llmsynth_serving.database.records import Job, now
from llmsynth_serving.database.sessions import Database
from sqlalchemy import event


def change(database: Database, job_id: str, **values: Any) -> None:
    with database.session() as session:
        job = session.get(Job, job_id)
        assert job is not None
        for name, value in values.items():
            setattr(job, name, value)
        job.version += 1


async def collected(stream: AsyncIterator[str | None]) -> list[dict[str, Any]]:
    return [json.loads(text) async for text in stream if text is not None]


def test_two_hundred_watchers_see_the_end_for_the_price_of_one(
    workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_feed, "LOOK_SECONDS", 0.05)
    jobs = [Job(project_id="p1", name="j", kind="fit", spec={}) for _ in range(2)]
    with workplace.database.session() as session:
        session.add_all(jobs)
    asked: list[str] = []
    event.listen(
        workplace.database.engine,
        "before_cursor_execute",
        lambda c, cursor, statement, *rest: asked.append(statement),
    )

    async def run() -> list[list[dict[str, Any]]]:
        feed = JobFeed(workplace.database)
        watching = [
            asyncio.create_task(collected(feed.changes(jobs[number % 2].id)))
            for number in range(200)
        ]
        await asyncio.sleep(0.3)
        for number, job in enumerate(jobs):
            change(workplace.database, job.id, state="running", progress={"done": number})
        await asyncio.sleep(0.3)
        for job in jobs:
            ended = {"state": "succeeded", "finished_at": now(), "result": {"x": 1}}
            change(workplace.database, job.id, **ended)
        return await asyncio.wait_for(asyncio.gather(*watching), 20)

    seen = asyncio.run(run())
    for number, states in enumerate(seen):
        assert [state["state"] for state in states] == ["queued", "running", "succeeded"]
        assert states[1]["progress"] == {"done": number % 2}
        assert states[-1]["result"] == {"x": 1}
    assert sum(statement.startswith("SELECT") for statement in asked) < 100


def test_a_watcher_of_a_job_that_is_removed_or_ended_is_let_go(workplace) -> None:
    job = Job(project_id="p1", name="j", kind="fit", spec={}, state="failed", finished_at=now())
    with workplace.database.session() as session:
        session.add(job)

    async def run() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        feed = JobFeed(workplace.database)
        over, gone = collected(feed.changes(job.id)), collected(feed.changes("nobody"))
        return await asyncio.wait_for(asyncio.gather(over, gone), 20)

    over, gone = asyncio.run(run())
    assert [state["state"] for state in over] == ["failed"]
    assert gone == []
