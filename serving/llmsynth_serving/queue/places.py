"""Which queue a job goes to: by what it asks for, and by what workers declare to have.

A worker with a GPU takes one queue, named after the memory that it declares, so that it does one
such job at a time. A job goes to a queue whose workers have at least the memory that it asks for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from llmsynth_serving.queue.durable import USUAL
from llmsynth_serving.queue.leases import Presence

GPU = "gpu"
ASKED = "gpu_memory_gb"
"""In a job's order: what a worker must declare to be given it."""


def gpu_queue(memory_gb: float) -> str:
    """The queue of workers that declare so much; the plain one where they declare nothing."""
    return f"{GPU}-{memory_gb:g}" if memory_gb else GPU


def memory_of(queue: str) -> float | None:
    """What the workers of a queue declare, 0 for nothing; None of a queue without a GPU."""
    name, _, memory = queue.partition("-")
    return float(memory or 0) if name == GPU else None


def able(workers: Iterable[Presence], asked_gb: float | None) -> Counter[str]:
    """How many workers could do a job for a GPU, by the queue that they take."""
    return Counter(
        queue
        for worker in workers
        for queue in worker.queues
        if (memory := memory_of(queue)) is not None and memory >= (asked_gb or 0)
    )


def place(
    asked_gb: float | None,
    workers: Sequence[Presence],
    under_way: Callable[[Iterable[str]], Mapping[str, int]],
) -> str:
    """The queue for a job that is for a GPU.

    Of several, the one with the fewest jobs for each of its workers, and then with the least
    memory. Where nobody has a GPU, a job that asks for none in particular goes to any worker:
    language models work there too, if slowly. One that asks for memory waits for it.

    Args:
        under_way: tells how many jobs wait or run, by queue.
    """
    queues = able(workers, asked_gb)
    if not queues:
        return USUAL if asked_gb is None else gpu_queue(asked_gb)
    if len(queues) == 1:
        return next(iter(queues))
    jobs = under_way(queues)
    return min(queues, key=lambda name: (jobs.get(name, 0) / queues[name], memory_of(name)))
