"""The service as a person starts it, and its client, from an upload to a downloaded table."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from llmsynth_serving.api.documents import JobDocument, RowsDocument
from llmsynth_serving.client import Client, JobError
from llmsynth_serving.connection import ServiceError

from llmsynth.demo_tables import load

SERVE = [sys.executable, "-m", "llmsynth_serving"]
START_SECONDS = 120.0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the service ended"
        try:
            if httpx.get(f"{url}/ready", timeout=20).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError("the service did not get ready")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, str, Path]]:
    folder = tmp_path_factory.mktemp("service")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "LLMSYNTH_SERVE_HOME": str(folder / "home"),
        "LLMSYNTH_SERVE_PORT": str(port),
        "LLMSYNTH_SERVE_POLL_SECONDS": "0.2",
    }
    made = subprocess.run([*SERVE, "init"], env=environment, capture_output=True, check=True)
    key = made.stdout.decode().strip()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*SERVE, "dev"], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_until_ready(url, process)
        with Client(url, key, timeout_seconds=120) as client:
            yield client, key, folder
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{url}/health", timeout=5)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=60)
    log_text = (folder / "log").read_text()
    assert key not in log_text
    assert re.search(r'"request_id": ?"', log_text)


@pytest.mark.timeout(600)
def test_upload_fit_watch_sample_evaluate_and_download(
    served: tuple[Client, str, Path],
) -> None:
    client, _, folder = served
    adult = load("adult").slice(0, 800)
    pq.write_table(adult.slice(0, 400), folder / "train.parquet")
    pyarrow.csv.write_csv(adult.slice(400), folder / "holdout.csv")
    train = client.upload(folder / "train.parquet")
    holdout = client.upload(folder / "holdout.csv")
    assert (train.num_rows, holdout.num_rows) == (400, 400)
    states = list(client.watch(client.fit(train, max_epochs=1, name="small")))
    assert states[-1].state == "succeeded", states[-1]
    assert any(state.progress for state in states)
    synthesizer = client.synthesizer(states[-1].result["synthesizer_id"])
    assert synthesizer.state == "ready"
    drawn = client.wait(client.sample(synthesizer, 200, where={"sex": "Female"}, seed=1))
    table = client.table(drawn.result["table_id"])
    assert (table.num_rows, table.origin) == (200, "generated")
    judged = client.wait(client.evaluate(table, train=train, holdout=holdout, target="income"))
    report = client.report(judged.result["report_id"])
    assert report.summary["verdict"]
    page = client.save_report(report, folder / "report.html").read_text()
    assert "<html" in page
    parquet = pq.read_table(client.download(table, folder / "rows.parquet"))
    assert parquet.num_rows == 200
    assert set(parquet["sex"].to_pylist()) == {"Female"}
    csv = pyarrow.csv.read_csv(client.download(table, folder / "rows.csv"))
    assert csv.column_names == parquet.column_names
    assert csv.num_rows == 200
    client.delete(table)
    with pytest.raises(ServiceError, match="no table"):
        client.table(table.id)
    first = client.rows(synthesizer, 5)
    deadline = time.monotonic() + 120
    while isinstance(first, JobDocument) and time.monotonic() < deadline:
        client.wait(first)
        first = client.rows(synthesizer, 5, where={"sex": "Male"}, seed=1)
    assert isinstance(first, RowsDocument)
    assert (len(first.rows), first.columns) == (5, parquet.column_names)
    assert {row[first.columns.index("sex")] for row in first.rows} == {"Male"}
    with pytest.raises(ServiceError, match="nobody"):
        client.rows(synthesizer, 5, where={"nobody": 1})


def test_a_refusal_reaches_the_caller_in_words(served: tuple[Client, str, Path]) -> None:
    client, key, _ = served
    with pytest.raises(ServiceError, match="line 2") as caught:
        client.upload(b"a,b\n1,2,3\n", name="ragged")
    assert caught.value.status == 400
    with pytest.raises(ServiceError, match="valid key"), Client(url_of(client), key + "x") as other:
        list(other.tables())


def test_a_job_that_cannot_succeed_is_an_error(served: tuple[Client, str, Path]) -> None:
    client, _, _ = served
    table = client.upload(b"a,b\n" + b"1,x\n2,y\n" * 30, name="tiny")
    with pytest.raises(JobError, match="nobody"):
        client.wait(client.fit(table, target="nobody", max_epochs=1))


def url_of(client: Client) -> str:
    return str(client._service._http.base_url)
