from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from llmsynth_eval.privacy import epsilon_lower_bound

from llmsynth.errors import SettingsError
from llmsynth.privacy.noise_source import NoiseSource
from llmsynth.privacy.settings import PrivacySettings
from llmsynth.schema.columns import CategoryColumn
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.privacy_audit import audit_scores

COLUMNS, VALUES = 8, 12


class NoNoise(NoiseSource):
    """The planted fault: what is accounted as noise is not added."""

    def gaussian(self, size, scale):
        return np.zeros(size)


@pytest.fixture(scope="module")
def table() -> pa.Table:
    """300 rows that all follow one pattern, so that a canary stands out."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, VALUES, 300)
    return pa.table(
        {f"c{i}": pa.array([f"v{(int(v) + i) % VALUES}" for v in first]) for i in range(COLUMNS)}
    )


SCHEMA = TableSchema(
    columns=tuple(
        CategoryColumn(name=f"c{i}", categories=tuple(f"v{k}" for k in range(VALUES)))
        for i in range(COLUMNS)
    )
)


def scores(table, epsilon, *, source=None, steps=40):
    return audit_scores(
        table,
        SCHEMA,
        PrivacySettings(epsilon=epsilon, delta=1e-5, insecure_seed=4),
        target=None,
        num_canaries=200,
        sizes=lambda s: replace(
            s, hidden_size=32, steps=steps, expected_units=200.0, learning_rate=1e-2
        ),
        source=source,
        seed=2,
    )


def proved(found, name) -> float:
    return epsilon_lower_bound(getattr(found, name), found.planted, delta=found.delta).epsilon


@pytest.mark.slow
@pytest.mark.parametrize("epsilon", [1.0, 8.0])
def test_a_sound_fit_is_never_shown_to_spend_more_than_it_claims(table, epsilon):
    found = scores(table, epsilon)
    assert found.epsilon <= epsilon
    assert proved(found, "white_box") <= epsilon
    assert proved(found, "synthetic_only") <= epsilon


@pytest.mark.slow
def test_a_fit_whose_noise_is_off_is_caught_claiming_epsilon_one(table):
    found = scores(table, 1.0, source=NoNoise(), steps=150)
    assert found.epsilon <= 1.0
    assert proved(found, "white_box") > 1.0


def test_a_handful_of_canaries_is_no_audit(table):
    with pytest.raises(SettingsError, match="at least 10"):
        audit_scores(table, SCHEMA, PrivacySettings(epsilon=1.0), target=None, num_canaries=3)
