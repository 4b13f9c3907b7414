import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmsynth.errors import SettingsError
from llmsynth.privacy.noise_source import NoiseSource
from llmsynth.privacy.settings import PrivacySettings, default_delta
from llmsynth.privacy.unit_sampler import PoissonSampler, by_entity, every_row

STEPS, UNITS, RATE = 10_000, 50, 0.2


@pytest.fixture(scope="module")
def memberships() -> np.ndarray:
    sampler = PoissonSampler(every_row(UNITS), RATE, NoiseSource(insecure_seed=5))
    drawn = np.zeros((STEPS, UNITS), dtype=np.int64)
    for step in range(STEPS):
        drawn[step, sampler.sample()] = 1
    return drawn


def test_batch_sizes_are_binomial_over_ten_thousand_steps(memberships):
    sizes = memberships.sum(1)
    mean, variance = UNITS * RATE, UNITS * RATE * (1 - RATE)
    assert abs(sizes.mean() - mean) < 4 * math.sqrt(variance / STEPS)
    assert abs(sizes.var() / variance - 1) < 4 * math.sqrt(2 / STEPS)
    # A shuffled pass would never give these sizes, let alone this many of them.
    assert (
        sizes.min() < mean - 2 * math.sqrt(variance) < mean + 2 * math.sqrt(variance) < sizes.max()
    )


def test_units_meet_in_batches_as_often_as_independence_says(memberships):
    together = memberships.T @ memberships
    pairs = together[np.triu_indices(UNITS, 1)]
    expected = STEPS * RATE**2
    deviation = math.sqrt(STEPS * RATE**2 * (1 - RATE**2))
    assert np.abs(pairs - expected).max() < 5 * deviation
    assert abs(pairs.mean() - expected) < deviation
    next_step = (memberships[1:] * memberships[:-1]).sum(0)
    assert np.abs(next_step - expected).max() < 5 * deviation


def test_planted_duplicates_of_one_entity_are_one_unit():
    names = pa.array(["a", "b", "a", "a", "c", "a", None, None])
    units = by_entity(names, 3, NoiseSource(insecure_seed=1))
    assert units.count == 5
    owner = {int(row): int(unit) for row, unit in zip(units.rows, units.unit_of, strict=True)}
    kept_of_a = [row for row in (0, 2, 3, 5) if row in owner]
    assert len(kept_of_a) == 3
    assert len({owner[row] for row in kept_of_a}) == 1
    assert owner[6] != owner[7]


@settings(max_examples=50, deadline=None)
@given(
    entities=st.lists(st.integers(0, 5), min_size=1, max_size=40),
    most_rows=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_no_entity_ever_has_more_rows_than_its_bound_and_a_batch_holds_all_or_none(
    entities, most_rows, seed
):
    source = NoiseSource(insecure_seed=seed)
    units = by_entity(pa.array(entities), most_rows, source)
    held = np.bincount(units.unit_of)
    exact = np.bincount(np.unique(entities, return_inverse=True)[1])
    assert sorted(held) == sorted(np.minimum(exact, most_rows))
    batch = PoissonSampler(units, 0.5, source).sample()
    for unit in np.unique(units.unit_of[batch]):
        assert set(np.flatnonzero(units.unit_of == unit)) <= set(batch)


def test_secure_noise_has_the_moments_it_claims_and_never_repeats():
    source = NoiseSource()
    first, second = source.gaussian(200_000, 3.0), source.gaussian(200_000, 3.0)
    assert source.is_secure
    assert abs(first.mean()) < 0.04
    assert abs(first.std() - 3.0) < 0.03
    assert abs(((first / 3) ** 4).mean() - 3.0) < 0.1
    assert not np.array_equal(first, second)
    assert np.array_equal(NoiseSource(7).gaussian(5, 1.0), NoiseSource(7).gaussian(5, 1.0))


@pytest.mark.parametrize(
    ("units", "delta"), [(1, 0.1), (10, 0.01), (16_268, 1e-6), (100_000, 1e-6), (99, 1e-3)]
)
def test_the_default_delta_is_a_tenth_of_one_over_the_units_as_a_power_of_ten(units, delta):
    assert default_delta(units) == pytest.approx(delta)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epsilon": 0},
        {"epsilon": float("inf")},
        {"epsilon": 1, "delta": 0},
        {"epsilon": 1, "rows_per_entity": 0},
        {"epsilon": 1, "rows_per_entity": 3},
    ],
)
def test_settings_that_promise_nothing_are_refused(wrong):
    with pytest.raises(SettingsError):
        PrivacySettings(**wrong)
