"""Counter-based draws: known answers, independence of the batch, and uniformity."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.engines.random_draws import _splitmix, uniforms


def test_splitmix_gives_the_published_stream_of_seed_zero() -> None:
    words = _splitmix(torch.tensor(0), torch.arange(3))
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert [int(word) % 2**64 for word in words] == published


def test_a_draw_equals_the_same_arithmetic_on_python_integers() -> None:
    def splitmix(key: int, index: int) -> int:
        word = (key + (index + 1) * 0x9E3779B97F4A7C15) % 2**64
        word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        word = (word ^ (word >> 27)) * 0x94D049BB133111EB % 2**64
        return word ^ (word >> 31)

    expected = (splitmix(splitmix(2**64 - 5, 12), 34) >> 11) * 2.0**-53
    assert uniforms(-5, torch.tensor([12]), 34).item() == expected


@given(st.integers(), st.integers(0, 2**40), st.integers(0, 2**20))
def test_a_draw_does_not_depend_on_its_batch(seed: int, first: int, step: int) -> None:
    rows = torch.arange(first, first + 9)
    together = uniforms(seed, rows, step)
    alone = torch.cat([uniforms(seed, row.reshape(1), torch.tensor([step])) for row in rows])
    assert torch.equal(together, alone)
    assert bool(((together >= 0) & (together < 1)).all())


def test_draws_are_uniform_over_rows_and_over_steps() -> None:
    over_rows = uniforms(7, torch.arange(100_000), 3)
    over_steps = uniforms(7, torch.full((100_000,), 3), torch.arange(100_000))
    for draws in (over_rows, over_steps):
        counts = torch.histc(draws.float(), bins=20, min=0, max=1)
        chi_squared = float(((counts - 5000) ** 2 / 5000).sum())
        assert chi_squared < 43.8  # 0.999 quantile, 19 degrees of freedom


def test_neighbouring_seeds_rows_and_steps_are_uncorrelated() -> None:
    rows = torch.arange(50_000)
    base = uniforms(1, rows, 0)
    for other in (uniforms(2, rows, 0), uniforms(1, rows + 1, 0), uniforms(1, rows, 1)):
        correlation = torch.corrcoef(torch.stack([base, other]))[0, 1].item()
        assert abs(correlation) < 4 / 50_000**0.5
