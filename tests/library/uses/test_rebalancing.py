"""Rebalancing: shares met, real rows kept, test rows untouched, verdicts right on planted rows."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from llmsynth import demo_tables
from llmsynth.errors import SettingsError
from llmsynth.schema import infer_schema
from llmsynth.synthesizers import Synthesizer
from llmsynth.tables import conform, read_table, write_table
from llmsynth.uses.augmentation import augment
from llmsynth.uses.groups import Group
from llmsynth.uses.rebalancing import RebalanceSettings, rebalance
from llmsynth.uses.verdict import JudgeSettings, Verdict, judged

QUICK = JudgeSettings(learners=("boosting",), num_seeds=2)
LINEAR = JudgeSettings(learners=("linear",), num_seeds=2)


def shell(label: str, num_rows: int, seed: int) -> pa.Table:
    """The rare class lies in a shell around the common one: hard to learn from few rows."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, num_rows)
    radius = rng.normal(2.2, 0.25, num_rows) if label == "yes" else rng.normal(0, 1.0, num_rows)
    return pa.table(
        {
            "x": np.round(radius * np.cos(angle), 3),
            "y": np.round(radius * np.sin(angle), 3),
            "colour": rng.choice(["red", "blue"], num_rows).tolist(),
            "fraud": [label] * num_rows,
        }
    )


def fraud(rare: int, common: int, seed: int) -> pa.Table:
    return pa.concat_tables([shell("yes", rare, seed), shell("no", common, seed + 1)])


def adult() -> tuple[pa.Table, pa.Table]:
    """Adult's rich and its poor, each in a fixed random order."""
    table = demo_tables.load("adult")
    table = table.take(pa.array(np.random.default_rng(0).permutation(table.num_rows)))
    table = conform(table, infer_schema(table, target="income"))
    is_rich = pc.equal(table["income"], ">50K")
    return table.filter(is_rich), table.filter(pc.invert(is_rich))


def planted(made: Callable[[pa.Table, pa.Table], pa.Table]) -> Verdict:
    """The verdict on 540 rows made somehow from rich and poor, beside 30 real rich ones."""
    rich, poor = adult()
    train = pa.concat_tables([rich.slice(0, 30), poor.slice(0, 570)])
    test = pa.concat_tables([rich.slice(1_000, 200), poor.slice(1_000, 3_800)])
    synthetic = made(rich, poor)
    labels = pa.array([">50K"] * synthetic.num_rows)
    index = synthetic.column_names.index("income")
    return judged(
        Group(where={"income": ">50K"}, share=0.5),
        train=train,
        test=test,
        synthetic=synthetic.set_column(index, "income", labels),
        schema=infer_schema(train, target="income"),
        settings=QUICK,
    )


@pytest.mark.slow
def test_rows_of_the_true_distribution_are_a_gain() -> None:
    found = planted(lambda rich, poor: rich.slice(2_000, 540))
    assert found.verdict == "gain"
    assert found.interval is not None
    assert found.interval[0] > 0
    assert found.copy_share == 0


@pytest.mark.slow
def test_a_generator_that_copies_is_no_gain_and_its_copies_are_counted() -> None:
    rows = pa.array(np.random.default_rng(1).integers(0, 30, 540))
    found = planted(lambda rich, poor: rich.take(rows))
    assert found.verdict == "no gain detected"
    assert found.words.startswith("No gain over ")
    assert found.copy_share == 1


@pytest.mark.slow
def test_a_generator_that_shuffles_labels_is_a_harm() -> None:
    found = planted(
        lambda rich, poor: pa.concat_tables([rich.slice(2_000, 27), poor.slice(5_000, 513)])
    )
    assert found.verdict == "harm"
    assert found.interval is not None
    assert found.interval[1] < 0


@pytest.fixture(scope="module")
def rebalanced():
    return rebalance(
        fraud(60, 540, 3),
        {"fraud": 0.3},
        synthesizer=Synthesizer(target="fraud", max_epochs=2),
        settings=RebalanceSettings(test_share=0.5, origin="origin", judging=LINEAR),
    )


def test_the_share_is_met_by_new_rows_beside_all_real_train_rows(rebalanced) -> None:
    table = rebalanced.table
    share = pc.mean(pc.equal(table["fraud"], "yes").cast(pa.int8())).as_py()
    assert share == pytest.approx(0.3, abs=0.005)
    real = table.filter(pc.equal(table["origin"], "real")).drop_columns(["origin"])
    assert real.equals(rebalanced.train)
    assert rebalanced.test.num_rows == 300
    (account,) = rebalanced.groups
    assert (account.real, account.short, account.prior) == (30, 0, 0.1)
    assert set(rebalanced.synthetic["fraud"].to_pylist()) == {"yes"}
    assert rebalanced.verdict in ("gain", "no gain detected", "harm")
    assert rebalanced.words.startswith("fraud=yes: ")


def test_probabilities_go_back_to_the_real_share(rebalanced) -> None:
    (account,) = rebalanced.groups
    # At the rebalanced share the posterior of a row that tells nothing is that share itself.
    assert account.recalibrated([account.share])[0] == pytest.approx(account.prior)
    assert account.recalibrated([0.0, 1.0]).tolist() == [0.0, 1.0]


def test_ranges_and_a_classifier_choose_among_the_rows_drawn() -> None:
    found = rebalance(
        fraud(60, 340, 4),
        {("fraud", "x"): {("yes", (0, None)): 0.2}},
        synthesizer=Synthesizer(max_epochs=1),
        settings=RebalanceSettings(test_share=0, relabel=True),
    )
    assert min(found.synthetic["x"].to_pylist()) >= 0
    assert set(found.synthetic["fraud"].to_pylist()) == {"yes"}
    assert found.groups[0].relabelled > 0
    assert (found.verdict, found.test) == ("not measured", None)


@pytest.mark.slow
def test_too_few_test_rows_are_said_and_a_fitted_synthesizer_is_refused() -> None:
    table = fraud(24, 200, 5)
    model = Synthesizer(target="fraud", max_epochs=1)
    found = rebalance(table, {"fraud": 0.2}, synthesizer=model)
    assert found.verdict == "not measured"
    assert "needs 10 rows" in found.words
    with pytest.raises(SettingsError, match="learned a table already"):
        rebalance(table, {"fraud": 0.2}, synthesizer=model)


def test_the_command_does_without_a_verdict_where_no_rows_are_held_out(
    tmp_path, invoke_app
) -> None:
    write_table(fraud(60, 340, 6), tmp_path / "t.csv")
    out = tmp_path / "more.csv"
    options = ["--column", "fraud", "--value", "yes", "--share", "0.3", "--test-share", "0"]
    status, told, complaint = invoke_app(
        ["rebalance", tmp_path / "t.csv", "--out", out, *options, "--max-epochs", "1"]
    )
    assert status == 0, complaint
    assert "fraud=yes: 86 rows added to 60" in told
    assert "Not measured: no rows were held out." in told
    assert read_table(out).num_rows == 486


@pytest.mark.slow
def test_the_command_writes_table_verdict_and_held_out_rows(tmp_path, invoke_app) -> None:
    write_table(fraud(60, 340, 6), tmp_path / "t.csv")
    out, report = tmp_path / "more.csv", tmp_path / "report"
    options = ["--column", "fraud", "--share", "0.3", "--seeds", "2", "--learner", "linear"]
    options += ["--max-epochs", "1"]
    files = [tmp_path / "t.csv", "--out", out, "--report", report]
    status, told, complaint = invoke_app(["rebalance", *files, *options])
    assert status == 0, complaint
    record = json.loads((report / "verdict.json").read_text(encoding="utf-8"))
    assert record["words"] in told
    assert record["groups"][0]["details"]["rare_rows"]["copy_share"] == 0
    assert "No gain is a normal answer" in (report / "verdict.html").read_text(encoding="utf-8")
    assert read_table(report / "test.csv").num_rows == record["test_rows"] == 100
    assert read_table(out).num_rows == record["train_rows"] + record["synthetic_rows"]


def test_a_command_without_a_target_says_what_to_give(tmp_path, invoke_app) -> None:
    status, _, complaint = invoke_app(["rebalance", tmp_path / "t", "--out", tmp_path / "o.csv"])
    assert status == 2
    assert "--column NAME --share S" in complaint


def test_a_hybrid_table_says_of_each_row_what_it_is() -> None:
    table = fraud(60, 140, 7)
    found = augment(
        table, 50, where={"colour": "red"}, synthesizer=Synthesizer(max_epochs=1), seed=3
    )
    origins = found.table["origin"].to_pylist()
    assert origins == ["real"] * 200 + ["synthetic"] * 50
    assert found.table.slice(0, 200).drop_columns(["origin"]).equals(table)
    assert set(found.synthetic["colour"].to_pylist()) == {"red"}
    with pytest.raises(SettingsError, match="column 'fraud' already"):
        augment(table, 5, origin="fraud")
