"""Sixty jobs on a service whose processes are killed a hundred times: what is lost, what delayed.

Two workers, the API and, on PostgreSQL once, the database server are killed (`kill -9`) at random
moments and started again, while a client orders fits, samples, divided samples and evaluations.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Thread, Timer
from typing import Any

import pyarrow.parquet as pq
from faults_cancels import cancel_seconds
from faults_watch import Watcher, account
from llmsynth_serving.api.documents import JobDocument
from llmsynth_serving.client import ENDED, Client
from llmsynth_serving.connection import ServiceError
from llmsynth_serving.settings import ServiceSettings
from machine import describe
from postgres_server import PostgresServer, running
from service_processes import Processes

from llmsynth import Synthesizer
from llmsynth.demo_tables import load
from llmsynth.generation.generator import SamplingSettings

PLACES = (0, 1)
IN_FLIGHT = 5
"""Jobs that wait or run at once; who orders keeps to it, so that kills always meet work."""
PART_ROWS = 16_384
SETTINGS = {"PART_ROWS": str(PART_ROWS), "SHARD_ROWS": str(2 * PART_ROWS)}
END_SECONDS = 1_500.0
UP_SECONDS = 180.0
TAKE_UP_SECONDS = 60.0
"""In which a job whose worker died is another's, once there is another that takes jobs."""


@dataclass
class Course:
    """One run: what is ordered, and what is killed."""

    processes: Processes
    client: Client
    dice: random.Random
    watcher: Watcher
    postgres: PostgresServer | None
    ordered: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    refused: int = 0
    kills: dict[str, int] = field(default_factory=dict)
    starting: set[str | int] = field(default_factory=set)
    """Places whose next process is due in a moment."""
    is_over: bool = False

    def order(self, jobs: int, tables: dict[str, str]) -> None:
        """Order jobs until there were as many as asked for and all kills are done."""
        plan = ["fit"] * 24 + ["sample"] * 18 + ["divided"] * 6 + ["evaluate"] * 12
        self.dice.shuffle(plan)
        while len(self.ordered) < jobs or not self.is_over:
            kind = plan[len(self.ordered) % len(plan)]
            try:
                while self._waiting() >= IN_FLIGHT:
                    time.sleep(0.5)
                job = _ordered(self.client, kind, len(self.ordered), tables)
                self.ordered.append(job.id)
                if kind != "evaluate" and self.dice.random() < 0.08:
                    time.sleep(self.dice.uniform(1, 15))
                    self.client.cancel(job.id)
                    self.cancelled.append(job.id)
            except ServiceError:
                self.refused += 1  # tried six times, or ended before it was cancelled
                time.sleep(1)

    def kill(self, times: int, gap: float, seconds: float) -> None:
        """Kill at random moments, on average `gap` seconds after the one to be killed was up.

        Args:
            seconds: when to stop, whatever is left of `times`.
        """
        deadline = time.monotonic() + seconds
        database_at = self.dice.randrange(times // 3, 2 * times // 3) if self.postgres else -1
        for number in range(times):
            if time.monotonic() > deadline:
                break
            target = self.dice.choice(("api", *PLACES)) if number != database_at else "database"
            self.wait_until_up(target)
            time.sleep(min(self.dice.expovariate(1 / gap), 4 * gap))
            if target == "database":
                self._kill_database()
            elif isinstance(target, int):
                self._kill_worker(target)
            else:
                self._kill_api()
        self.is_over = True

    def wait_until_up(self, target: str | int) -> None:
        # A process that is still doing its imports has nothing to lose.
        deadline = time.monotonic() + UP_SECONDS
        while not self._is_up(target):
            if time.monotonic() > deadline:
                raise SystemExit(f"{target} does not get up.")
            time.sleep(0.2)

    def _is_up(self, target: str | int) -> bool:
        if target == "database":
            return True
        process = self.processes.workers[target] if isinstance(target, int) else self.processes.api
        assert process is not None
        if process.poll() is not None and target not in self.starting:
            self._start_again(target)  # it ended by itself, e.g. at a database that was away
        elif target == "api":
            return self.processes.is_ready()
        return f"-{process.pid}-" in self.watcher.workers

    def _start_again(self, target: str | int) -> None:
        self.starting.discard(target)
        if isinstance(target, int):
            self.processes.start_worker(target)
        else:
            self.processes.start_api(wait=False)

    def _kill_worker(self, place: int) -> None:
        worker = self.processes.workers[place]
        worker.kill()
        worker.wait()
        self.watcher.killed(worker.pid)
        self._count("worker")
        self.starting.add(place)
        Timer(self.dice.uniform(0.2, 3), self._start_again, (place,)).start()

    def _kill_api(self) -> None:
        api = self.processes.api
        assert api is not None
        api.kill()
        api.wait()
        self._count("api")
        time.sleep(self.dice.uniform(0.2, 1))
        self._start_again("api")

    def _kill_database(self) -> None:
        assert self.postgres is not None
        self.postgres.kill()
        self._count("database")
        time.sleep(2)
        self.postgres.start()

    def _count(self, name: str) -> None:
        self.kills[name] = self.kills.get(name, 0) + 1
        print(f"{sum(self.kills.values()):3d} {name} killed, {len(self.ordered)} jobs", flush=True)

    def _waiting(self) -> int:
        return sum(job not in self.watcher.ended for job in self.ordered)


def main() -> int:
    """Run the course on one database; 0 where it held all that is asked of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--jobs", type=int, default=60)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--gap", type=float, default=7.0, help="mean seconds between two kills")
    parser.add_argument("--minutes", type=float, default=60.0, help="after which nothing is killed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, help="file that gets one JSON line")
    asked = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="llmsynth-faults-")))
        postgres = stack.enter_context(running()) if asked.database == "postgresql" else None
        url = postgres.create("service") if postgres else ""
        processes = Processes(folder, url, SETTINGS)
        stack.callback(processes.stop)
        found = _run(processes, postgres, asked, stack)
        print(json.dumps(found, indent=1), flush=True)
        if asked.results:
            with asked.results.open("a") as file:
                file.write(json.dumps(found) + "\n")
        if not found["holds"]:
            (Path.cwd() / f"faults-{asked.database}.log").write_bytes((folder / "log").read_bytes())
    return 0 if found["holds"] else 1


def _run(
    processes: Processes,
    postgres: PostgresServer | None,
    asked: argparse.Namespace,
    stack: ExitStack,
) -> dict[str, Any]:
    processes.start_api()
    for place in PLACES:
        processes.start_worker(place)
    client = stack.enter_context(Client(processes.url, processes.key, timeout_seconds=60))
    tables = _tables(client, processes.home)
    home = processes.home / "service"
    settings = ServiceSettings(home=home, database_url=processes.database_url)
    watcher = Watcher(settings)
    watcher.start()
    stack.callback(watcher.close)
    course = Course(processes, client, random.Random(asked.seed), watcher, postgres)
    started = time.monotonic()
    orderer = Thread(target=course.order, args=(asked.jobs, tables), daemon=True)
    orderer.start()
    course.kill(asked.kills, asked.gap, 60 * asked.minutes)
    orderer.join()
    quiet = time.monotonic()
    for target in ("api", *PLACES):
        course.wait_until_up(target)
    states = _end_states(client, course)
    print(f"all ended {time.monotonic() - quiet:.0f} s after the last kill", flush=True)
    found = _verdict(course, states, time.monotonic() - started)
    found["samples_equal_undisturbed"] = _equal_samples(client, course, states, tables, home)
    found["cancel_seconds"] = cancel_seconds(client, processes, tables)
    found |= {"database": asked.database, "seed": asked.seed, "machine": describe()}
    found["holds"] = _holds(found)
    return found


def _tables(client: Client, folder: Path) -> dict[str, str]:
    """What the orders need: three tables and a synthesizer."""
    adult = load("adult")
    pieces = {"train": adult.slice(0, 1_500), "small": adult.slice(0, 300)}
    pieces |= {"holdout": adult.slice(2_000, 300), "judged": adult.slice(2_400, 300)}
    ids = {}
    for name, rows in pieces.items():
        pq.write_table(rows, folder / f"{name}.parquet")
        ids[name] = client.upload(folder / f"{name}.parquet").id
    fitted = client.wait(client.fit(ids["train"], max_epochs=1))
    assert fitted.result is not None
    return {**ids, "synthesizer": fitted.result["synthesizer_id"]}


def _ordered(client: Client, kind: str, number: int, tables: dict[str, str]) -> JobDocument:
    if kind == "fit":
        return client.fit(tables["train"], max_epochs=8, seed=number)
    if kind == "sample":
        return client.sample(tables["synthesizer"], 2 * PART_ROWS, seed=number)
    if kind == "divided":
        return client.sample(tables["synthesizer"], 5 * PART_ROWS, seed=number)
    ids = {"train": tables["small"], "holdout": tables["holdout"]}
    return client.evaluate(tables["judged"], **ids, target="income", seed=number)


def _end_states(client: Client, course: Course) -> dict[str, JobDocument]:
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        states = {job.id: job for job in client.jobs()}
        if all(job.state in ENDED for job in states.values()):
            return states
        time.sleep(2)
    return {job.id: job for job in client.jobs()}


def _verdict(course: Course, states: dict[str, JobDocument], seconds: float) -> dict[str, Any]:
    watched = account(course.watcher)
    lost = [name for name in course.ordered if name not in states]
    lost += [
        name
        for name, job in states.items()
        if job.state != "succeeded" and not (name in course.cancelled and job.state == "cancelled")
    ]
    return {
        "seconds": round(seconds),
        "jobs": len(states),
        "kinds": {
            k: list(course.watcher.kinds.values()).count(k) for k in ("fit", "sample", "evaluate")
        },
        "kills": course.kills,
        "lost": {name: str(states.get(name) and states[name].error) for name in lost},
        "cancelled": len(course.cancelled),
        "calls_given_up": course.refused,
        "answers_changed_after_the_end": course.watcher.changed_after_end,
        "taken_up_since_kill": _spread(watched.seconds_since_kill),
        "taken_up_since_live": _spread(watched.seconds_since_live),
        **asdict(watched),
    }


def _spread(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    late = sum(value > TAKE_UP_SECONDS for value in seconds)
    return {"median": statistics.median(seconds), "longest": max(seconds), "late": late}


def _equal_samples(
    client: Client,
    course: Course,
    states: dict[str, JobDocument],
    tables: dict[str, str],
    home: Path,
) -> dict[str, bool]:
    """Two of the tables drawn under fire against the same rows drawn in peace."""
    folder = next((home / "files" / "synthesizers" / tables["synthesizer"]).iterdir())
    synthesizer = Synthesizer.load(folder)
    samples = [
        (number, states[name])
        for number, name in enumerate(course.ordered)
        if name in states and states[name].kind == "sample" and states[name].state == "succeeded"
    ]
    samples.sort(key=lambda item: -item[1].attempts)
    equal = {}
    for number, job in samples[:2]:
        assert job.result is not None
        drawn = pq.read_table(client.download(job.result["table_id"], home.parent / "rows.parquet"))
        settings = SamplingSettings(seed=number)
        peaceful, chunks = synthesizer.iter_sample(drawn.num_rows, settings=settings)
        del peaceful
        equal[job.id] = all(
            chunk.equals(drawn.slice(first, chunk.num_rows)) for first, chunk in _placed(chunks)
        )
    return equal


def _placed(chunks: Any) -> Any:
    first = 0
    for chunk in chunks:
        yield first, chunk
        first += chunk.num_rows


def _holds(found: dict[str, Any]) -> bool:
    nothing = (
        "lost",
        "answers_changed_after_the_end",
        "never_taken_up",
        "from_zero",
        "drawn_twice",
    )
    return (
        not any(found[name] for name in nothing)
        and all(seconds <= TAKE_UP_SECONDS for seconds in found["seconds_since_live"])
        and all(found["samples_equal_undisturbed"].values())
        and all(seconds <= 10 for seconds in found["cancel_seconds"])
    )


if __name__ == "__main__":
    sys.exit(main())
