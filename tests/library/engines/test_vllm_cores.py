"""One engine's end leaves the others of its process alone."""

from __future__ import annotations

from llmsynth.engines.vllm_cores import OpenCores


class Recorded:
    def __init__(self) -> None:
        self.ends = 0

    def shutdown(self) -> None:
        self.ends += 1


def test_cores_are_shut_down_together_and_once() -> None:
    cores, first, second, third = OpenCores(), Recorded(), Recorded(), Recorded()
    cores.begin(first)
    cores.begin(second)
    cores.end(first)
    assert (first.ends, second.ends) == (0, 0)
    cores.end(second)
    assert (first.ends, second.ends) == (1, 1)
    cores.begin(third)
    cores.end(third)
    assert (first.ends, second.ends, third.ends) == (1, 1, 1)
