"""How soon a cancelled job frees its worker."""

from __future__ import annotations

import time

from llmsynth_serving.client import Client
from service_processes import Processes

CANCELLED_IN_TURN = 5


def cancel_seconds(client: Client, processes: Processes, tables: dict[str, str]) -> list[float]:
    """Seconds from a cancellation until the only worker is at the next job."""
    stopped = processes.workers[1]
    stopped.terminate()
    stopped.wait()
    seconds = []
    for _ in range(CANCELLED_IN_TURN):
        long = client.fit(tables["train"], max_epochs=2_000)
        while not client.job(long.id).progress:
            time.sleep(0.2)
        next_job = client.fit(tables["small"], max_epochs=1)
        client.cancel(long.id)
        asked = time.monotonic()
        while client.job(next_job.id).state == "queued":
            time.sleep(0.1)
        seconds.append(round(time.monotonic() - asked, 1))
        client.wait(next_job)
    return seconds
