"""A job's page in a real browser follows its job: by its stream, and without one by asking."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from llmsynth_serving.app import create_app
from llmsynth_serving.database.records import Job, now
from llmsynth_serving.installation import first_key, migrate
from llmsynth_serving.objects.projects import open_project
from llmsynth_serving.settings import ServiceSettings
from playwright.sync_api import Page, expect, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CURVE = [[0.0, 9.0], [0.1, 7.5], [0.2, 6.4], [0.3, 6.0]]
SPEC = {"table_id": "t", "synthesizer_id": "s", "settings": {}}


@dataclass
class Site:
    """A service in this process, and a browser that is signed in."""

    url: str
    page: Page
    database: Any
    project_id: str
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def add_job(self) -> str:
        job = Job(project_id=self.project_id, name="adult", kind="fit", spec=SPEC, state="running")
        job.started_at, job.worker = now(), "w"
        with self.database.session() as session:
            session.add(job)
        self.change(job.id, done=0.3, loss=6.01, points=CURVE)
        return job.id

    def change(
        self, job_id: str, *, done: float, loss: float, points: list[list[float]], **values: Any
    ) -> None:
        with self.database.session() as session:
            job = session.get(Job, job_id)
            seconds = 200 * (1 - done)
            job.progress = {"stage": "train", "done": done, "total": 1.0, "loss": loss}
            job.progress |= {"seconds_left": seconds}
            job.curve = {"points": points}
            for name, value in values.items():
                setattr(job, name, value)
            job.version += 1

    def polls(self) -> int:
        return sum(path.endswith("/progress") for path in self.asked)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any, str, str]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = ServiceSettings(home=tmp_path_factory.mktemp("live"), port=port)
    migrate(settings)
    key = first_key(settings)
    assert key is not None
    app = create_app(settings)
    config = uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    database = app.state.service.database
    with database.session() as session:
        project_id = open_project(session).id
    yield f"http://127.0.0.1:{port}", database, project_id, key
    server.should_exit = True
    thread.join(20)


@pytest.fixture
def site(service: tuple[str, Any, str, str]) -> Iterator[Site]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    url, database, project_id, key = service
    with sync_playwright() as playwright:
        # In a container the browser's own sandbox needs rights that tests do not have.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        expect.set_options(timeout=60_000)
        site = Site(url, page, database, project_id)
        page.on("request", lambda asked: site.asked.append(asked.url))
        page.on("pageerror", lambda error: site.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: site.complaints.append(said.text) if said.type == "error" else None,
        )
        page.goto(url)
        page.get_by_label("Key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        yield site
        browser.close()


def look(page: Page, name: str) -> None:
    """A picture at both widths, where somebody wants them; nothing lies beside a narrow screen."""
    for width, scheme in ((390, "dark"), (1280, "light")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        if folder := os.environ.get("LLMSYNTH_SCREENSHOTS"):
            page.screenshot(path=Path(folder) / f"{name}-{width}.png", full_page=True)


@pytest.mark.slow
def test_a_page_is_sent_what_changes_and_asks_for_nothing(site: Site) -> None:
    page, job_id = site.page, site.add_job()
    page.goto(f"{site.url}/jobs/{job_id}")
    progress = page.locator("#progress")
    expect(progress).to_contain_text("30.0%")
    page.wait_for_timeout(2_500)
    polls = site.polls()
    site.change(job_id, done=0.62, loss=5.4321, points=[*CURVE, [0.45, 5.7], [0.62, 5.43]])
    expect(progress).to_contain_text("62.0%")
    expect(progress).to_contain_text("loss 5.432")
    expect(progress).to_contain_text("about 76 s left")
    expect(page.locator("svg.curve")).to_have_attribute(
        "aria-label", "Training loss, 9 at the beginning, 5.43 at 62%"
    )
    look(page, "job-running")
    page.wait_for_timeout(2_500)
    assert site.polls() == polls, "a page with an open stream has nothing to ask for"
    site.change(
        job_id,
        done=1.0,
        loss=5.0,
        points=CURVE,
        state="failed",
        finished_at=now(),
        error={"detail": "It broke."},
    )
    expect(progress).to_contain_text("It broke.")
    look(page, "job-ended")
    page.get_by_role("button", name="Try again").focus()
    streams = sum(path.endswith("/events") for path in site.asked)
    page.wait_for_timeout(4_000)
    assert (streams, sum(path.endswith("/events") for path in site.asked)) == (1, 1)
    assert site.complaints == []


@pytest.mark.slow
def test_a_page_without_its_stream_asks_every_second(site: Site) -> None:
    page, job_id = site.page, site.add_job()
    page.route("**/events", lambda route: route.abort())
    page.goto(f"{site.url}/jobs/{job_id}")
    expect(page.locator("#progress")).to_contain_text("30.0%")
    site.change(job_id, done=0.71, loss=5.2, points=CURVE)
    expect(page.locator("#progress")).to_contain_text("71.0%")
    assert site.polls() > 0
