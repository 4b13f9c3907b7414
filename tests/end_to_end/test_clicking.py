"""The service as a person uses it: in a browser, by clicking, from a file to a judged table."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from llmsynth.demo_tables import load

SERVE = [sys.executable, "-m", "llmsynth_serving"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
START_SECONDS = 120.0
PATIENCE_MILLISECONDS = 120_000
JOB_MILLISECONDS = 300_000
NARROW, WIDE = 390, 1280
NOT_OURS = "Blocked script execution"
"""What the browser says of the test's own looks into a page that may run no script."""


@dataclass
class Visit:
    """A browser at the service, and what it complained about."""

    page: Page
    url: str
    key: str
    shots: Path
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    number: int = 0

    def look(self, name: str) -> None:
        """A picture at both widths, light and dark; nothing may lie beside a narrow screen."""
        self.number += 1
        for width, scheme in ((NARROW, "dark"), (WIDE, "light")):
            self.page.set_viewport_size({"width": width, "height": 900})
            self.page.emulate_media(color_scheme=scheme)
            beside = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert beside <= 0, f"{name} is {beside} pixels wider than {width}"
            path = self.shots / f"{self.number:02}-{name}-{width}-{scheme}.png"
            self.page.screenshot(path=path, full_page=True)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the service ended"
        try:
            with urlopen(f"{url}/ready", timeout=20):
                return
        except (URLError, TimeoutError):
            time.sleep(0.3)
    raise AssertionError("the service did not get ready")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a service with one worker, and its first key."""
    folder = tmp_path_factory.mktemp("service")
    port = free_port()
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "LLMSYNTH_SERVE_HOME": str(folder / "home"),
        "LLMSYNTH_SERVE_PORT": str(port),
        "LLMSYNTH_SERVE_POLL_SECONDS": "0.2",
    }
    made = subprocess.run([*SERVE, "init"], env=environment, capture_output=True, check=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*SERVE, "dev"], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}", made.stdout.decode().strip()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


@pytest.fixture
def visit(served: tuple[str, str], tmp_path: Path) -> Iterator[Visit]:
    """A browser; its pictures go to `LLMSYNTH_SCREENSHOTS`, or to a folder of the test."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    shots = Path(os.environ.get("LLMSYNTH_SCREENSHOTS", tmp_path / "screenshots"))
    shots.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        # In a container the browser's own sandbox needs rights that tests do not have.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MILLISECONDS)
        expect.set_options(timeout=PATIENCE_MILLISECONDS)
        visit = Visit(page=page, url=served[0], key=served[1], shots=shots)
        page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: visit.complaints.append(said.text) if said.type == "error" else None,
        )
        page.on("request", lambda asked: visit.hosts.add(urlsplit(asked.url).netloc))
        yield visit
        browser.close()


def adult_file(path: Path, rows: int) -> Path:
    table = load("adult").slice(0, rows)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table.column_names)
        writer.writerows(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return path


def look_at_rows(page: Page) -> None:
    """Draw a few rows; on a busy machine the first ones become a job, while the model loads."""
    address = page.url
    drawn = page.get_by_role("heading", name="12 rows, kept nowhere")
    for _ in range(10):
        page.get_by_role("button", name="Show 12 rows").click()
        expect(drawn.or_(page.locator("#progress"))).to_be_visible()
        if drawn.is_visible():
            return
        page.goto(address)
    raise AssertionError("no rows came")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_from_a_file_to_a_judged_table_by_clicking(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    page.goto(visit.url)
    visit.look("sign-in")
    page.get_by_label("Key").fill(visit.key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    visit.look("overview-empty")

    page.get_by_role("link", name="Upload a table").click()
    page.locator("#file").set_input_files(adult_file(tmp_path / "adult.csv", 800))
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name="adult real")).to_be_visible()
    expect(page.get_by_text("800 rows, 15 columns")).to_be_visible()
    visit.look("table")

    page.get_by_text("Set rows aside to judge with").click()
    page.get_by_label("Set aside, in percent").fill("50")
    page.get_by_role("button", name="Part the table").click()
    expect(page.get_by_role("heading", name="adult train real")).to_be_visible()

    page.get_by_role("link", name="Fit", exact=True).click()
    page.get_by_label("Column that matters most").select_option("income")
    page.get_by_text("Advanced").click()
    page.get_by_label("At most, in passes over the rows").fill("1")
    visit.look("fit")
    page.get_by_role("button", name="Start the fit").click()
    expect(page.locator("#progress")).to_contain_text("ordered")
    visit.look("fit-running")
    opening = page.get_by_role("link", name="Open the synthesizer")
    expect(opening).to_be_visible(timeout=JOB_MILLISECONDS)
    page.get_by_text("The same by program").click()
    expect(page.get_by_text("/v1/jobs/fit")).to_be_visible()
    visit.look("fit-done")
    opening.click()

    look_at_rows(page)
    visit.look("synthesizer")
    page.get_by_role("link", name="Sample", exact=True).click()
    page.get_by_label("Rows", exact=True).fill("300")
    page.get_by_label("Set the shares of").select_option("sex")
    for sex, presses in (("Female", "End"), ("Male", "Home")):
        slider = page.get_by_label(sex, exact=True)
        slider.focus()
        page.keyboard.press(presses)
    page.get_by_label("Male", exact=True).press("ArrowRight")
    visit.look("sample")
    page.get_by_role("button", name="Draw rows").click()
    expect(page.get_by_role("link", name="Open the table")).to_be_visible(timeout=JOB_MILLISECONDS)
    visit.look("sample-done")

    page.get_by_role("link", name="Evaluate").click()
    expect(page.get_by_label("Real rows that were learned").locator(":checked")).to_contain_text(
        "adult train"
    )
    expect(page.get_by_label("Real rows that were not").locator(":checked")).to_contain_text(
        "adult holdout"
    )
    visit.look("evaluate")
    page.get_by_role("button", name="Make the report").click()
    report = page.get_by_role("link", name="Open the report")
    expect(report).to_be_visible(timeout=JOB_MILLISECONDS)
    report.click()
    expect(page.frame_locator("iframe.report").locator("h1")).to_be_visible()
    visit.look("report")

    page.get_by_role("link", name=re.compile("sample$")).first.click()
    visit.look("synthetic-table")
    with page.expect_download() as coming:
        page.get_by_role("link", name="CSV").click()
    saved = tmp_path / "drawn.csv"
    coming.value.save_as(saved)
    with saved.open(newline="") as file:
        rows = list(csv.DictReader(file))
    sexes = [row["sex"] for row in rows]
    assert (len(rows), sexes.count("Male")) == (300, round(300 / 101))

    for name in ("Tables", "Synthesizers", "Reports", "Compare", "Few-shot", "Jobs", "Keys"):
        page.get_by_role("navigation", name="Main").get_by_role("link", name=name).last.click()
        expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
        visit.look(name.lower())
    page.get_by_role("button", name="Sign out").last.click()
    expect(page.get_by_label("Key")).to_be_visible()
    page.goto(f"{visit.url}/tables")
    expect(page.get_by_label("Key")).to_be_visible()
    assert visit.hosts == {urlsplit(visit.url).netloc}
    assert [said for said in visit.complaints if NOT_OURS not in said] == []
