"""Rows of a group: chosen or redrawn, of the group, no copies, without what must not be learned."""

from __future__ import annotations

import copy

import numpy as np
import pyarrow as pa
import pytest
import torch

from llmsynth.errors import ConditionError, SettingsError
from llmsynth.progress import silent
from llmsynth.schema import infer_schema
from llmsynth.synthesizers import Synthesizer
from llmsynth.synthesizers.private_codes import encode_leniently
from llmsynth.tables import conform
from llmsynth.training.loss import place_losses
from llmsynth.training.sequences import Shuffler
from llmsynth.uses.additions import Addition
from llmsynth.uses.drawing import drawn_rows
from llmsynth.uses.group_classifier import GroupClassifier
from llmsynth.uses.group_rows import GroupRows
from llmsynth.uses.group_tuning import tuned
from llmsynth.uses.groups import Group
from llmsynth.uses.rebalancing import RebalanceSettings
from llmsynth.uses.redrawing import Redrawer, why_not

RARE = Group(where={"fraud": "yes"}, share=0.5)


def claims(rare: int, common: int) -> pa.Table:
    """Fraud lies in a shell around the rest; a city of one row, and a key, tell single rows."""
    rng = np.random.default_rng(3)
    count = rare + common
    is_rare = np.arange(count) < rare
    angle = rng.uniform(0, 2 * np.pi, count)
    radius = np.where(is_rare, rng.normal(2.4, 0.1, count), np.abs(rng.normal(0, 0.8, count)))
    city = np.where(np.arange(count) == 0, "Nowhere", rng.choice(["Ulm", "Jena", "Trier"], count))
    return pa.table(
        {
            "claim_id": [f"C-{100_000 + 37 * n}" for n in range(count)],
            "x": np.round(radius * np.cos(angle), 2),
            "y": np.round(radius * np.sin(angle), 2),
            "city": city.tolist(),
            "year": rng.integers(1990, 2020, count),
            "fraud": np.where(is_rare, "yes", "no").tolist(),
        }
    )


@pytest.fixture(scope="module")
def train() -> pa.Table:
    table = claims(30, 570)
    return conform(table, infer_schema(table, target="fraud"))


@pytest.fixture(scope="module")
def synthesizer(train):
    return Synthesizer(target="fraud", max_epochs=2, personal_data="keep").fit(train)


def drawn(synthesizer: Synthesizer, train: pa.Table, method: str, rows: int = 200) -> GroupRows:
    step = Addition(group=RARE, before=30, rows=rows)
    options = {"method": method, "relabel": False, "seed": 1, "progress": silent}
    (found,) = drawn_rows(synthesizer, [step], train, **options)
    return found


@pytest.fixture(scope="module")
def redrawn(synthesizer, train) -> GroupRows:
    return drawn(synthesizer, train, "redraw")


def in_shell(table: pa.Table) -> float:
    return float((np.hypot(table["x"].to_numpy(), table["y"].to_numpy()) > 1.9).mean())


def test_both_ways_give_rows_of_the_group_more_often_than_the_model_alone(
    redrawn, synthesizer, train
) -> None:
    plain = synthesizer.sample(200, where={"fraud": "yes"}, seed=1).table
    whole = drawn(synthesizer, train, "whole")
    assert whole.table.num_rows == redrawn.table.num_rows == 200
    assert len(whole.begun_from) == 0
    assert in_shell(plain) + 0.1 < min(in_shell(whole.table), in_shell(redrawn.table))
    assert drawn(synthesizer, train, "whole").table.equals(whole.table)


def held_out_loss(synthesizer: Synthesizer, rows: pa.Table) -> float:
    """Nats a row, over eight orders of its columns."""
    learner = synthesizer.learner_
    codes = torch.from_numpy(encode_leniently(rows, learner.language, np.arange(len(rows)))).long()
    codes[:, sorted(learner.flat)] = -1
    shuffler = Shuffler(
        learner.model.shape.place_sizes,
        torch.from_numpy(learner.language.place_columns),
        learner.model.shape.begin_token,
        usual_order=torch.tensor(learner.order),
        none_given_share=0.2,
    )
    generator = torch.Generator().manual_seed(0)
    batch = codes.repeat(8, 1)
    with torch.no_grad():
        found = place_losses(learner.model, shuffler(batch, generator), batch, dtype=torch.float32)
    return float(torch.stack(found).sum()) / len(batch)


def test_a_few_steps_on_the_group_tell_its_other_rows_better(synthesizer, train) -> None:
    before = copy.deepcopy(synthesizer.learner_.model.state_dict())
    members = train.filter(RARE.holds(train, synthesizer.schema_))
    other = tuned(synthesizer, members, seed=0)
    unseen = conform(claims(200, 1), infer_schema(train, target="fraud")).slice(31, 169)
    assert held_out_loss(other, unseen) < held_out_loss(synthesizer, unseen) - 0.05
    now = synthesizer.learner_.model.state_dict()
    assert all(torch.equal(before[name], now[name]) for name in before)
    assert tuned(synthesizer, members.slice(0, 9), seed=0) is synthesizer
    assert tuned(Synthesizer(epsilon=4.0), members, seed=0).privacy is not None


def test_each_row_names_the_real_row_it_began_from_and_what_it_kept(redrawn, train) -> None:
    assert len(redrawn.begun_from) == len(redrawn.kept) == 200
    assert set(redrawn.begun_from.tolist()) <= set(range(30))
    assert len(set(redrawn.begun_from.tolist())) > 20
    source = train.take(pa.array(redrawn.begun_from)).drop_columns(["claim_id", "fraud"])
    own = redrawn.table.select(source.column_names)
    same = [
        np.array(own[name].to_pylist(), object) == np.array(source[name].to_pylist(), object)
        for name in source.column_names
    ]
    # A kept number beyond the learned bounds is brought to them, and counts as kept all the same.
    assert (np.mean(same, axis=0) <= redrawn.kept).all()
    assert 0.2 < redrawn.kept.mean() < 0.8
    assert redrawn.kept.max() == 0.75


def test_no_row_is_a_real_one_and_keys_and_rare_values_stay_behind(redrawn, train) -> None:
    columns = ["x", "y", "city", "year"]
    real = set(zip(*(train[name].to_pylist() for name in columns), strict=True))
    made = list(zip(*(redrawn.table[name].to_pylist() for name in columns), strict=True))
    assert not real & set(made)
    assert 0 in redrawn.begun_from, "the row of the rare city begins rows, too"
    assert set(redrawn.table["city"].to_pylist()) <= {"Ulm", "Jena", "Trier"}
    keys = redrawn.table["claim_id"].to_pylist()
    assert len(set(keys)) == len(keys)


def test_the_same_seed_draws_the_same_rows(redrawn, synthesizer, train) -> None:
    assert drawn(synthesizer, train, "redraw").table.equals(redrawn.table)


def test_what_real_rows_leave_no_room_for_is_drawn_whole() -> None:
    rng = np.random.default_rng(0)
    flags = {name: rng.choice(["on", "off"], 300).tolist() for name in ("a", "b")}
    table = pa.table({**flags, "fraud": ["yes"] * 30 + ["no"] * 270})
    table = conform(table, infer_schema(table, target="fraud"))
    found = drawn(Synthesizer(target="fraud", max_epochs=1).fit(table), table, "redraw", rows=50)
    assert found.table.num_rows == 50
    # All four combinations are real rows of the group, so every redrawn one is a copy.
    assert len(found.begun_from) == 0
    assert found.copies > 0
    assert set(found.table["fraud"].to_pylist()) == {"yes"}


def test_differential_privacy_lets_no_row_begin_from_a_real_one(train) -> None:
    private = Synthesizer(target="fraud", epsilon=4.0)
    assert "differential privacy" in str(why_not(private))
    with pytest.raises(SettingsError, match="differential privacy"):
        drawn(private, train, "redraw")
    with pytest.raises(SettingsError, match="method is whole, redraw"):
        RebalanceSettings(method="smote")


def test_a_group_that_was_not_learned_is_refused(synthesizer, train) -> None:
    with pytest.raises(ConditionError, match="Nowhere"):
        Redrawer(synthesizer, train, Group(where={"city": "Nowhere"}, share=0.5), seed=0)


def test_the_classifier_knows_the_group_without_the_column_that_tells_it(train) -> None:
    schema = infer_schema(train, target="fraud")
    classifier = GroupClassifier(train, schema, RARE)
    fresh = conform(claims(200, 200).slice(31), schema)  # rows of other places in the shell
    is_rare = np.asarray(RARE.holds(fresh, schema))
    found = classifier.probabilities(fresh)
    assert found[is_rare].mean() > 10 * found[~is_rare].mean()
    agreed = classifier.agrees(fresh)
    assert agreed[is_rare].mean() > 0.5
    assert agreed[~is_rare].mean() < 0.1
    everyone = Group(where={"city": "Ulm"}, share=1.0)
    ulm = train.filter(pa.array(np.array(train["city"].to_pylist()) == "Ulm"))
    assert GroupClassifier(ulm, schema, everyone).probabilities(ulm).tolist() == [1.0] * len(ulm)
