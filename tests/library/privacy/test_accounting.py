import math

import pytest

from llmsynth.errors import PrivacyError
from llmsynth.privacy.accounting import (
    Mechanism,
    Spending,
    calibrated_noise,
    claimed_epsilon,
    gaussian_noise,
    refuse_disagreement,
    spending,
)

dp_accounting = pytest.importorskip("dp_accounting")
pld = pytest.importorskip("dp_accounting.pld")

SETTINGS = [
    (0.01, 1.0, 1000, 1e-5),
    (0.01, 4.0, 10_000, 1e-5),
    (0.004, 1.1, 3515, 1e-5),
    (0.004, 0.7, 1000, 1e-5),
    (0.1, 2.0, 100, 1e-6),
    (0.125, 5.0, 150, 1e-6),
    (0.25, 10.0, 150, 1e-6),
    (0.5, 20.0, 300, 1e-6),
    (0.02, 0.8, 50, 1e-7),
    (0.001, 0.6, 2000, 1e-6),
    (1.0, 3.0, 1, 1e-5),
    (0.125, 30.0, 200, 1e-6),
]


@pytest.mark.parametrize(("rate", "noise", "steps", "delta"), SETTINGS)
def test_epsilon_is_that_of_dp_accounting_and_stands_its_cross_check(rate, noise, steps, delta):
    event = dp_accounting.GaussianDpEvent(noise)
    if rate < 1:
        event = dp_accounting.PoissonSampledDpEvent(rate, event)
    accountant = pld.PLDAccountant()
    accountant.compose(event, steps)
    found = spending([Mechanism(noise_multiplier=noise, sampling_rate=rate, count=steps)], delta)
    assert found.epsilon == pytest.approx(accountant.get_epsilon(delta), rel=1e-9)
    assert found.cross_check == pytest.approx(found.epsilon, rel=0.1, abs=0.02)
    assert found.epsilon <= found.ceiling


@pytest.mark.parametrize(
    ("rate", "noise", "steps", "delta", "published"),
    [
        # Abadi et al. 2016 (arXiv 1607.00133), section 3.2: 1.26 by the moments accountant.
        (0.01, 4.0, 10_000, 1e-5, 1.26),
        # TensorFlow Privacy's MNIST tutorial (60,000 images, batches of 256), by Renyi divergences.
        (256 / 60_000, 1.3, 15 * 60_000 // 256, 1e-5, 1.19),
        (256 / 60_000, 1.1, 60 * 60_000 // 256, 1e-5, 3.01),
        (256 / 60_000, 0.7, 45 * 60_000 // 256, 1e-5, 7.10),
    ],
)
def test_published_upper_bounds_are_met_from_below_and_not_by_far(
    rate, noise, steps, delta, published
):
    found = claimed_epsilon(
        [Mechanism(noise_multiplier=noise, sampling_rate=rate, count=steps)], delta
    )
    assert 0.7 * published < found < published


def test_a_single_gaussian_matches_its_closed_form():
    noise, delta = 2.0, 1e-5
    found = claimed_epsilon([Mechanism(noise_multiplier=noise)], delta)

    def exact_delta(epsilon: float) -> float:
        # Balle & Wang 2018 (arXiv 1805.06530), theorem 8.
        def cdf(x: float) -> float:
            return math.erfc(-x / math.sqrt(2)) / 2

        mu = 1 / noise
        return cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * cdf(-mu / 2 - epsilon / mu)

    assert exact_delta(found) == pytest.approx(delta, rel=0.02)


def test_composition_adds_up():
    # k Gaussians of noise s are one of noise s / sqrt(k).
    one = claimed_epsilon([Mechanism(noise_multiplier=5.0)], 1e-6)
    four = [Mechanism(noise_multiplier=10.0)] * 4
    assert claimed_epsilon(four, 1e-6) == pytest.approx(one, rel=1e-3)
    assert claimed_epsilon([Mechanism(noise_multiplier=10.0, count=4)], 1e-6) == pytest.approx(
        one, rel=1e-3
    )
    more = [*four, Mechanism(noise_multiplier=20.0, sampling_rate=0.1, count=50)]
    assert claimed_epsilon(more, 1e-6) > one


def test_calibrated_noise_spends_just_under_what_was_asked():
    def composed(noise: float) -> list[Mechanism]:
        return [
            Mechanism(noise_multiplier=15.0),
            Mechanism(noise_multiplier=noise, sampling_rate=0.125, count=100),
        ]

    noise = calibrated_noise(composed, epsilon=1.0, delta=1e-6)
    assert claimed_epsilon(composed(noise), 1e-6) <= 1.0
    assert claimed_epsilon(composed(noise * 0.98), 1e-6) > 1.0
    assert gaussian_noise(1.0, 1e-6) < 15.0


def test_a_budget_that_the_metadata_spent_already_is_refused():
    with pytest.raises(PrivacyError, match="No noise brings the total"):
        calibrated_noise(
            lambda noise: [
                Mechanism(noise_multiplier=1.0),
                Mechanism(noise_multiplier=noise, sampling_rate=0.1, count=10),
            ],
            epsilon=1.0,
            delta=1e-6,
        )


@pytest.mark.parametrize(
    "found",
    [
        Spending(epsilon=1.0, cross_check=1.2, ceiling=1.3),
        Spending(epsilon=1.2, cross_check=1.0, ceiling=1.3),
        Spending(epsilon=1.0, cross_check=float("nan"), ceiling=1.3),
    ],
)
def test_accountants_that_disagree_by_more_than_a_tenth_are_refused(found):
    with pytest.raises(PrivacyError, match="disagree"):
        refuse_disagreement(found)


def test_a_claim_above_the_renyi_bound_is_refused():
    with pytest.raises(PrivacyError, match="Renyi"):
        refuse_disagreement(Spending(epsilon=1.0, cross_check=1.0, ceiling=0.9))


def test_accountants_that_agree_are_believed():
    refuse_disagreement(Spending(epsilon=1.0, cross_check=1.05, ceiling=1.15))
