"""What the service takes: orders a second, what it costs while idle, watchers, a large upload."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
from llmsynth_serving.client import Client
from machine import describe
from postgres_server import PostgresServer, running
from service_processes import Processes, family, peak_bytes, processor_seconds

from llmsynth.demo_tables import load

SETTLE_SECONDS = 15.0
MOST_BROKEN = 100
LINE = b"39,State-gov,77516,Bachelors,13,Never-married,Adm-clerical,White,Male,2174,0,40,<=50K\n"
BLOCK = LINE * 10_000


def main() -> None:
    """Run the parts that are asked for on one database, and print what they found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--parts", nargs="+", default=["idle", "submit", "watch", "upload"])
    parser.add_argument("--rate", type=float, default=100.0, help="orders a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="of orders, and of idleness")
    parser.add_argument("--processes", type=int, default=1, help="of the API")
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--megabytes", type=int, default=1_000)
    parser.add_argument("--results", type=Path, help="file that gets one JSON line")
    asked = parser.parse_args()
    found: dict[str, Any] = {"database": asked.database, "machine": describe()}
    found["api_processes"] = asked.processes
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="llmsynth-load-")))
        durable = asked.database == "postgresql"
        postgres = stack.enter_context(running(is_durable=True)) if durable else None
        url = postgres.create("service") if postgres else ""
        processes = Processes(folder, url, api_processes=asked.processes)
        stack.callback(processes.stop)
        processes.start_api()
        client = stack.enter_context(Client(processes.url, processes.key, timeout_seconds=3_600))
        if "idle" in asked.parts:
            found["idle"] = idle(processes, postgres, asked.seconds)
        if "submit" in asked.parts:
            found["submit"] = submit(processes, client, asked.rate, asked.seconds)
        if "watch" in asked.parts:
            found["watch"] = asyncio.run(watch(processes, client, asked.watchers))
        if "upload" in asked.parts:
            found["upload"] = upload(processes, asked.megabytes << 20)
    print(json.dumps(found, indent=1))
    if asked.results:
        with asked.results.open("a") as file:
            file.write(json.dumps(found) + "\n")


def idle(
    processes: Processes, postgres: PostgresServer | None, seconds: float
) -> dict[str, float | None]:
    """Percent of a core that API, worker and database server take while nothing is to be done."""
    assert processes.api is not None
    worker = processes.start_worker(0)
    deadline = time.monotonic() + 180
    while not httpx.get(f"{processes.url}/health").json()["workers"]:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    time.sleep(SETTLE_SECONDS)
    owners = {"api": processes.api.pid, "worker": worker.pid}
    owners |= {"postgresql": postgres.pid} if postgres else {}
    members = {name: family(pid) for name, pid in owners.items()}
    before = {name: processor_seconds(pids) for name, pids in members.items()}
    time.sleep(seconds)
    spent = {name: processor_seconds(pids) - before[name] for name, pids in members.items()}
    worker.terminate()
    worker.wait()
    return {f"{name}_percent": round(100 * value / seconds, 2) for name, value in spent.items()}


def submit(processes: Processes, client: Client, rate: float, seconds: float) -> dict[str, Any]:
    """Milliseconds from when an order was due to its answer; no worker is there to take it."""
    tables = [client.upload(b"x,y\n1,2\n3,4\n", name=name).id for name in ("a", "b")]
    order = {"table_id": tables[0], "train_id": tables[0], "holdout_id": tables[1]}
    assert processes.api is not None
    answering = family(processes.api.pid)
    before = processor_seconds(answering)
    times, statuses, broken = asyncio.run(_orders(processes, order, rate, seconds))
    spent = processor_seconds(answering) - before
    times.sort()
    return {
        "orders": len(times),
        "broken_connections": broken,
        "refused": sum(status != httpx.codes.ACCEPTED for status in statuses),
        "p50_ms": round(1_000 * statistics.median(times), 1),
        "p99_ms": round(1_000 * times[int(0.99 * len(times))], 1),
        "api_processor_ms_each": round(1_000 * spent / len(times), 1),
        "longest_ms": round(1_000 * times[-1], 1),
    }


async def _orders(
    processes: Processes, order: dict[str, str], rate: float, seconds: float
) -> tuple[list[float], list[int], int]:
    times: list[float] = []
    statuses: list[int] = []
    broken: list[int] = []
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    headers = {"Authorization": f"Bearer {processes.key}"}

    async with httpx.AsyncClient(
        base_url=processes.url, headers=headers, limits=limits, timeout=120
    ) as http:

        async def one(number: int, due: float) -> None:
            key = {"Idempotency-Key": f"load-{number}"}
            while True:
                try:
                    answer = await http.post("/v1/jobs/evaluate", json=order, headers=key)
                    break
                except httpx.TransportError:
                    broken.append(number)  # sent again with its key, as any client would
                    if len(broken) > MOST_BROKEN:
                        raise
            times.append(time.monotonic() - due)
            statuses.append(answer.status_code)

        await http.get("/v1/jobs")
        begin = time.monotonic()
        under_way = []
        for number in range(int(rate * seconds)):
            due = begin + number / rate
            await asyncio.sleep(max(due - time.monotonic(), 0))
            under_way.append(asyncio.create_task(one(number, due)))
        await asyncio.gather(*under_way)
    return times, statuses, len(broken)


async def watch(processes: Processes, client: Client, watchers: int) -> dict[str, Any]:
    """Many streams on one fit: who sees its end, how far apart, and what it costs the API."""
    assert processes.api is not None
    pq.write_table(load("adult").slice(0, 2_000), processes.home / "adult.parquet")
    table = client.upload(processes.home / "adult.parquet")
    for job in client.jobs():  # of the orders before
        if job.state == "queued":
            client.cancel(job)
    processes.start_worker(0)
    job = client.fit(table, max_epochs=20)
    ends: list[float] = []
    events = [0] * watchers

    async def one(http: httpx.AsyncClient, number: int) -> None:
        async with http.stream("GET", f"/v1/jobs/{job.id}/events") as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    events[number] += 1
                    last = json.loads(line.removeprefix("data: "))
        assert last["state"] == "succeeded", last
        ends.append(time.monotonic())

    headers = {"Authorization": f"Bearer {processes.key}"}
    limits = httpx.Limits(max_connections=watchers)
    begin, before = time.monotonic(), processor_seconds([processes.api.pid])
    async with httpx.AsyncClient(
        base_url=processes.url, headers=headers, limits=limits, timeout=600
    ) as http:
        await asyncio.gather(*(one(http, number) for number in range(watchers)))
    spent = processor_seconds([processes.api.pid]) - before
    return {
        "watchers": watchers,
        "saw_the_end": len(ends),
        "events_each": [min(events), max(events)],
        "first_to_last_seconds": round(max(ends) - min(ends), 2),
        "seconds": round(max(ends) - begin, 1),
        "api_percent": round(100 * spent / (max(ends) - begin), 1),
    }


def upload(processes: Processes, num_bytes: int) -> dict[str, Any]:
    """The API's peak memory before and after one large upload, and that of the reading process."""
    assert processes.api is not None
    api = processes.api.pid
    with Client(processes.url, processes.key) as client:
        client.upload(b"x,y\n1,2\n3,4\n", name="first")
    before, readers = peak_bytes(api), _Peaks(api)
    readers.start()
    begin = time.monotonic()
    answer = httpx.post(
        f"{processes.url}/v1/tables",
        params={"name": "large"},
        content=_lines(num_bytes),
        headers={"Authorization": f"Bearer {processes.key}"},
        timeout=3_600,
    )
    seconds = time.monotonic() - begin
    readers.close()
    return {
        "status": answer.status_code,
        "rows": answer.json().get("num_rows"),
        "megabytes": num_bytes >> 20,
        "seconds": round(seconds, 1),
        "api_peak_before_mb": before >> 20,
        "api_peak_after_mb": peak_bytes(api) >> 20,
        "reader_peak_mb": readers.peak >> 20,
    }


def _lines(num_bytes: int) -> Iterator[bytes]:
    names = load("adult").column_names
    yield (",".join(names[: LINE.count(b",") + 1]) + "\n").encode()
    for _ in range(num_bytes // len(BLOCK)):
        yield BLOCK


class _Peaks(threading.Thread):
    """The most that any process below another one held while this ran."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._ending = pid, threading.Event()
        self.peak = 0

    def run(self) -> None:
        while not self._ending.wait(0.1):
            for pid in family(self._pid)[1:]:
                try:
                    self.peak = max(self.peak, peak_bytes(pid))
                except OSError:
                    continue  # it has ended

    def close(self) -> None:
        self._ending.set()
        self.join()


if __name__ == "__main__":
    main()
