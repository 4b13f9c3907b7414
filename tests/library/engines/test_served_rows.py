"""What engines that mask elsewhere are told: seeds that differ where generators look."""

from __future__ import annotations

import torch

from llmsynth.engines.served_rows import row_seed


def test_seeds_of_rows_differ_in_the_bits_that_generators_on_cpus_read() -> None:
    rows = [row + (attempt << 40) for attempt in range(4) for row in range(50)]
    first = [
        float(torch.rand(1, generator=torch.Generator().manual_seed(row_seed(seed, row))))
        for seed in (0, 1)
        for row in rows
    ]
    assert len(set(first)) == len(first)
    assert min(row_seed(7, row) for row in rows) >= 0
    assert max(row_seed(7, row) for row in rows) < 1 << 62
