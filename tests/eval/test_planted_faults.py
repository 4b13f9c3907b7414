"""The whole evaluation on Adult: each planted fault raises its own headline and no other."""

import numpy as np
import pytest
from llmsynth_eval import evaluate

from llmsynth import demo_tables

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
ROWS = 5_000
SOME = ROWS // 100
CHANGED = ("age", "workclass", "education", "occupation", "relationship", "hours_per_week")


@pytest.fixture(scope="module")
def adult():
    """Train, holdout and fresh rows with a key, no row twice."""
    table = demo_tables.load("adult").to_pandas().drop_duplicates()
    table = table.sample(3 * ROWS, random_state=0).reset_index(drop=True)
    table.insert(0, "key", [f"P{row * 7919 % 1_000_003:06d}" for row in range(len(table))])
    return [table[part * ROWS : (part + 1) * ROWS].reset_index(drop=True) for part in range(3)]


def copied(train, fresh):
    table = fresh.copy()
    table.iloc[:SOME] = train.iloc[:SOME]
    table.loc[: SOME - 1, "key"] = fresh["key"][:SOME]
    return table


def nearly_copied(train, fresh):
    rng = np.random.default_rng(1)
    table = copied(train, fresh)
    for row in range(SOME):
        for column in rng.choice(CHANGED, 2, replace=False):
            table.loc[row, column] = fresh.loc[row + 2 * SOME, column]
    return table


def shuffled(column):
    def plant(train, fresh):
        return fresh.assign(**{column: fresh[column].sample(frac=1, random_state=1).to_numpy()})

    return plant


def without_a_class(train, fresh):
    return fresh[fresh["race"] != "Asian-Pac-Islander"].reset_index(drop=True)


def with_replayed_keys(train, fresh):
    return fresh.assign(key=train["key"].to_numpy())


def imputed(train, fresh):
    holed = ["workclass", "occupation", "native_country"]
    return fresh.assign(**{c: fresh[c].fillna(fresh[c].mode()[0]) for c in holed})


def flipped(train, fresh):
    drawn = np.random.default_rng(2).random(len(fresh)) < 0.1
    other = fresh["income"].map({"<=50K": ">50K", ">50K": "<=50K"})
    return fresh.assign(income=fresh["income"].where(~drawn, other))


@pytest.mark.parametrize(
    ("plant", "headlines"),
    [
        (lambda train, fresh: fresh, []),
        (copied, ["copies"]),
        (nearly_copied, ["near_copies"]),
        (shuffled("race"), ["associations"]),
        (shuffled("marital_status"), ["associations"]),
        (without_a_class, ["coverage"]),
        (with_replayed_keys, ["identifiers"]),
        (imputed, ["missing"]),
        (flipped, ["target"]),
    ],
    ids=["none", "copies", "near", "shuffled", "broken", "lost", "keys", "imputed", "flipped"],
)
def test_each_fault_raises_its_own_headline_and_no_other(adult, plant, headlines):
    train, holdout, fresh = adult
    report = evaluate(train, holdout, plant(train, fresh), target="income")
    assert [headline.name for headline in report.evaluations[0].alarms] == headlines
