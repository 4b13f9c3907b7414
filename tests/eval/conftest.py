"""Small real-looking tables and one report of them, made once for all tests."""

import numpy as np
import pandas as pd
import pytest
from llmsynth_eval import evaluate


def make_people(rows, seed):
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, rows)
    return pd.DataFrame(
        {
            "age": np.where(rng.random(rows) < 0.1, np.nan, age),
            "<b>town</b>": rng.choice(["Ulm & Co", "Bonn", "Köln"], rows),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 999, rows), "D"),
            "member": rng.random(rows) < age / 120,
        }
    )


@pytest.fixture(scope="session")
def people():
    return make_people


@pytest.fixture(scope="session")
def three():
    """Train, holdout and synthetic rows of the same source."""
    return tuple(make_people(200, seed) for seed in range(3))


@pytest.fixture(scope="session")
def report(three):
    """Fresh rows, and a table that is half copied from train."""
    train, holdout, synthetic = three
    copied = pd.concat([train.head(100), synthetic.head(100)])
    return evaluate(
        train,
        holdout,
        {"fresh": synthetic, "copied": copied},
        target="member",
        topics=("fidelity", "privacy"),
        seed=1,
    )
