"""Related tables: keys, children per parent, transitions and autocorrelation worked by hand."""

import numpy as np
import pandas as pd
import pytest
from llmsynth_eval.related import (
    Autocorrelation,
    Cardinality,
    Families,
    Family,
    KeyIntegrity,
    Link,
    Transitions,
)

from llmsynth.errors import SettingsError, TableError

LINK = Link(parent_key="id", child_key="of", order="at")
PARENTS = pd.DataFrame({"id": ["p", "q", "r"]})
CHILDREN = pd.DataFrame(
    {
        "of": ["q", "p", "p", "q", "p"],
        "at": [2, 3, 1, 1, 2],
        "what": ["d", "c", "a", "b", "b"],
        "x": [4.0, 3, 1, 2, 2],
    }
)


def families(children, parents=PARENTS, holdout=None):
    return Families(
        link=LINK,
        train=Family(parents=PARENTS, children=CHILDREN),
        synthetic=Family(parents=parents, children=children),
        holdout=holdout,
    )


def sequences(train, synthetic, **link):
    return Families(
        link=Link(child_key="of", **link),
        train=Family(children=train),
        synthetic=Family(children=synthetic),
    )


def values(measurement):
    return {figure.name: figure.value for figure in measurement.figures}


def test_children_stand_in_the_order_of_their_parents():
    rows = families(CHILDREN).rows["train"]
    assert rows.children["what"].tolist() == ["a", "b", "c", "b", "d"]
    assert rows.sizes.tolist() == [3, 2, 0]
    first, second = rows.follows()
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(0, 1), (1, 2), (3, 4)]
    assert [part.tolist() for part in rows.follows(2)] == [[0], [2]]


def test_orphans_missing_and_repeated_keys_are_counted():
    children = CHILDREN.assign(of=["q", "p", "z", None, "p"])
    parents = pd.DataFrame({"id": ["p", "q", "q", None]})
    found = values(KeyIntegrity(families=families(children, parents)).compute())
    assert found == {"missing_keys": 0.2, "orphans": 0.25, "repeated_keys": 0.5}
    sound = values(KeyIntegrity(families=families(CHILDREN)).compute())
    assert set(sound.values()) == {0}


def test_children_per_parent_count_those_without_any():
    children = CHILDREN.assign(of=["q", "p", "r", "q", "p"])
    measurement = Cardinality(families=families(children)).compute()
    # three, two and none against two, two and one: a third of the parents had none
    assert values(measurement) == {"cardinality_ks": pytest.approx(1 / 3)}
    rows = {row[0]: row[1:] for row in measurement.tables[0].rows}
    assert rows["0"] == pytest.approx((1 / 3, 0))
    assert rows["mean"] == pytest.approx((5 / 3, 5 / 3))


def test_the_floor_is_the_holdouts():
    held = Family(parents=PARENTS, children=CHILDREN.head(1))
    figure = Cardinality(families=families(CHILDREN, holdout=held)).compute().figures[0]
    assert (figure.value, figure.floor) == (0, pytest.approx(2 / 3))


def test_transitions_worked_by_hand():
    train = pd.DataFrame({"of": [1, 1, 1, 2, 2], "what": list("abaab")})
    other = pd.DataFrame({"of": [1, 1, 2, 2], "what": list("abzb")})
    # ab, ba, ab against ab and zb: |2/3 - 1/2| + 1/3 + 1/2, halved
    measurement = Transitions(families=sequences(train, other), columns=("what",)).compute()
    assert values(measurement) == {"transition_distance": pytest.approx(0.5)}


def test_autocorrelation_is_that_of_neighbours_within_a_parent():
    rng = np.random.default_rng(0)
    train = pd.DataFrame({"of": np.repeat(range(50), 20), "x": rng.normal(size=1000).cumsum()})
    measurement = Autocorrelation(families=sequences(train, train), columns=("x",)).compute()
    assert values(measurement) == {"autocorrelation_difference": 0}
    for row in measurement.tables[0].rows:
        pairs = [
            (a, b)
            for _, group in train.groupby("of")["x"]
            for a, b in zip(group[: -row[1]], group[row[1] :], strict=True)
        ]
        assert row[2] == pytest.approx(np.corrcoef(np.transpose(pairs))[0, 1])


def test_shuffled_sequences_lose_their_autocorrelation_and_their_transitions():
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(100, 30)).cumsum(axis=1).ravel()
    train = pd.DataFrame({"of": np.repeat(range(100), 30), "x": steps})
    train["up"] = np.where(train["x"] > 0, "up", "down")
    shuffled = train.assign(
        **train[["x", "up"]].sample(frac=1, random_state=0).reset_index(drop=True)
    )
    related = sequences(train, shuffled)
    found = Autocorrelation(families=related, columns=("x",)).compute().figures[0]
    assert found.value > 0.7
    assert found.interval[0] > 0.6
    assert Transitions(families=related, columns=("up",)).compute().figures[0].value > 0.3
    assert Cardinality(families=related).compute().figures[0].value == 0


def test_the_order_of_rows_does_not_matter_where_a_column_orders_them():
    moved = CHILDREN.sample(frac=1, random_state=3)
    for metric in (Transitions, Autocorrelation):
        columns = ("what",) if metric is Transitions else ("x",)
        one, other = (metric(families=families(c), columns=columns) for c in (CHILDREN, moved))
        assert one.compute() == other.compute()


def test_dates_as_texts_order_rows_too():
    train = pd.DataFrame({"of": [1, 1], "at": ["2024-05-02", "2024-05-01"], "what": ["b", "a"]})
    rows = sequences(train, train, order="at").rows["train"]
    assert rows.children["what"].tolist() == ["a", "b"]


def test_what_cannot_be_measured_is_said():
    lone = pd.DataFrame({"of": [1, 2], "what": ["a", "b"], "x": [1.0, 1.0]})
    related = sequences(lone, lone)
    assert Transitions(families=related, columns=("what",)).compute().notes
    assert Autocorrelation(families=related, columns=("x",)).compute().notes


def test_wrong_families_are_refused_by_name():
    with pytest.raises(SettingsError, match="parent table"):
        families(CHILDREN, None)
    with pytest.raises(TableError, match="no column 'of'"):
        families(CHILDREN.rename(columns={"of": "parent"}))
    with pytest.raises(TableError, match="no column 'y'"):
        Transitions(families=families(CHILDREN), columns=("y",)).compute()
    with pytest.raises(TableError, match="no column 'y'"):
        Autocorrelation(families=families(CHILDREN), columns=("y",)).compute()
