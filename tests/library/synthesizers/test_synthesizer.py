"""The public face: habits, determinism, inputs, settings, conditions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from llmsynth import Synthesizer
from llmsynth.errors import ConditionError, NotFittedError, SettingsError, TableError
from llmsynth.generation.generator import SamplingSettings
from llmsynth.progress import Step
from llmsynth.synthesizers import target_teaching

RARE = "zz-only-two-people"


def people_table(rows: int = 200, seed: int = 0) -> pd.DataFrame:
    """Ages, jobs, pay (some missing) and whether somebody is a member; a rare job, a rare pay."""
    rng = np.random.default_rng(seed)
    job = rng.choice(["baker", "clerk", "pilot"], rows, p=[0.5, 0.3, 0.2])
    pay = (1000 + 500 * (job == "pilot") + rng.normal(0, 120, rows)).round(2)
    pay[rng.random(rows) < 0.1] = np.nan
    table = pd.DataFrame(
        {
            "age": rng.integers(18, 80, rows),
            "job": job,
            "pay": pay,
            "member": rng.random(rows) < 0.4,
        }
    )
    table.loc[[3, 11], "job"] = RARE
    table.loc[5, "pay"] = 1177.37
    return table


def quick(**settings: object) -> Synthesizer:
    """A synthesizer small enough for a second."""
    small: dict[str, object] = {"max_epochs": 3, "hidden_size": 32, "num_layers": 1}
    return Synthesizer(**(small | settings))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return people_table()


@pytest.fixture(scope="module")
def fitted(people: pd.DataFrame) -> Synthesizer:
    return quick().fit(people)


def _weights(synthesizer: Synthesizer) -> torch.Tensor:
    weights = synthesizer.learner_.model.parameters()
    return torch.cat([weight.detach().flatten() for weight in weights])


def test_fit_returns_itself_and_leaves_its_settings_alone(people: pd.DataFrame) -> None:
    synthesizer = quick(target="job", seed=3)
    before = dict(vars(synthesizer))
    assert synthesizer.fit(people) is synthesizer
    learned = {name: value for name, value in vars(synthesizer).items() if name not in before}
    assert {name: vars(synthesizer)[name] for name in before} == before
    assert learned
    assert all(name.endswith("_") and not name.startswith("_") for name in learned)


def test_the_table_that_was_learned_is_left_alone(people: pd.DataFrame) -> None:
    before = people.copy()
    quick(max_epochs=1).fit(people)
    pd.testing.assert_frame_equal(people, before)


def test_the_callers_random_numbers_and_arithmetic_are_left_alone(people: pd.DataFrame) -> None:
    torch.manual_seed(11)
    expected = torch.rand(1)
    torch.manual_seed(11)
    quick(max_epochs=1).fit(people).sample(5)
    assert torch.equal(torch.rand(1), expected)
    assert 5e-324 * 1.0 > 0, "numbers below full precision count as zero"


def test_rows_have_the_columns_types_and_values_of_the_table(
    fitted: Synthesizer, people: pd.DataFrame
) -> None:
    rows = fitted.sample(500).to_pandas()
    assert list(rows.columns) == list(people.columns)
    assert set(rows["job"]) == {"baker", "clerk", "pilot"}
    assert rows["age"].between(18, 79).all()
    assert rows["pay"].isna().any()
    assert set(rows["member"]) == {True, False}


def test_one_seed_gives_one_model_and_one_table(fitted: Synthesizer, people: pd.DataFrame) -> None:
    again = quick().fit(people)
    assert torch.equal(_weights(fitted), _weights(again))
    assert fitted.sample(100).table.equals(again.sample(100).table)
    assert not fitted.sample(100).table.equals(fitted.sample(100, seed=1).table)


def test_every_kind_of_input_gives_the_same_model(
    fitted: Synthesizer, people: pd.DataFrame, tmp_path: Path
) -> None:
    people.to_csv(tmp_path / "people.csv", index=False)
    people.to_parquet(tmp_path / "people.parquet")
    for table in (
        pa.Table.from_pandas(people),
        tmp_path / "people.parquet",
        str(tmp_path / "people.csv"),
    ):
        other = quick().fit(table)
        assert torch.equal(_weights(fitted), _weights(other))
        assert fitted.sample(50).to_pandas().equals(other.sample(50).to_pandas())


def test_rows_do_not_depend_on_how_many_are_drawn_or_held(fitted: Synthesizer) -> None:
    many = fitted.sample(3000, seed=2).table
    assert fitted.sample(100, seed=2).table.equals(many.slice(0, 100))
    for batch_rows in (1, 700, 10**6):
        settings = SamplingSettings(seed=2, batch_rows=batch_rows)
        _, chunks = fitted.iter_sample(3000, settings=settings)
        assert pa.concat_tables(chunks).equals(many)


def test_the_report_counts_and_progress_is_told(fitted: Synthesizer) -> None:
    steps: list[Step] = []
    report = fitted.sample(10, progress=steps.append).report
    assert (report.asked, report.rows, report.is_partial) == (10, 10, False)
    assert steps[-1].stage == "sample"
    assert steps[-1].done == steps[-1].total == 10


def test_a_time_limit_of_nothing_gives_an_empty_table(fitted: Synthesizer) -> None:
    sample = fitted.sample(10, max_seconds=1e-9)
    assert len(sample) == 0
    assert sample.report.is_partial
    assert sample.report.stopped == "time"
    assert list(sample.to_pandas().columns) == ["age", "job", "pay", "member"]


def test_nothing_can_be_drawn_or_saved_before_a_fit(tmp_path: Path) -> None:
    for use in (
        lambda: quick().sample(5),
        lambda: quick().iter_sample(5),
        lambda: quick().save(tmp_path),
        lambda: quick().schema_,
    ):
        with pytest.raises(NotFittedError, match="learned nothing"):
            use()


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"compact.*'large'"):
        Synthesizer(model="large")


@pytest.mark.parametrize("name", ["max_epochs", "hidden_size", "num_layers", "batch_rows"])
@pytest.mark.parametrize("value", [0, -3])
def test_a_size_or_budget_that_is_not_above_nought_is_refused(
    people: pd.DataFrame, name: str, value: int
) -> None:
    with pytest.raises(SettingsError, match=name):
        quick(**{name: value}).fit(people)


def test_a_budget_of_no_minutes_is_refused(people: pd.DataFrame) -> None:
    with pytest.raises(SettingsError, match="max_minutes"):
        quick(max_minutes=0).fit(people)


@pytest.mark.parametrize("hidden", [1, 17, 130, 200])
def test_any_width_can_be_learned(people: pd.DataFrame, hidden: int) -> None:
    synthesizer = quick(hidden_size=hidden, max_epochs=1).fit(people)
    assert synthesizer.learner_.model.shape.hidden_size == hidden
    assert len(synthesizer.sample(5)) == 5


@pytest.mark.parametrize("n", [0, -1, None])
def test_a_number_of_rows_below_one_is_refused(fitted: Synthesizer, n: int | None) -> None:
    with pytest.raises(SettingsError, match="n must be at least 1"):
        fitted.sample(n)


def test_a_target_that_is_no_column_is_refused(people: pd.DataFrame) -> None:
    with pytest.raises(TableError, match="'wage'"):
        quick(target="wage").fit(people)


def test_the_target_is_written_last(people: pd.DataFrame) -> None:
    synthesizer = quick(target="job", max_epochs=1).fit(people)
    assert synthesizer.learner_.order[-1] == 1


def test_an_interrupted_fit_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    table = people_table(2000)
    settings = {"batch_rows": 32, "max_epochs": 2, "max_minutes": 100.0}
    whole = quick(**settings).fit(table)

    def interrupt(step: Step) -> None:
        if step.done > 0.5:
            raise KeyboardInterrupt

    first = quick(**settings).fit(table, checkpoint_dir=tmp_path, progress=interrupt)
    assert first.training_.stopped == "interrupted"
    second = quick(**settings).fit(table, checkpoint_dir=tmp_path)
    assert second.training_.steps == whole.training_.steps
    assert torch.equal(_weights(second), _weights(whole))


def test_ctrl_c_while_the_target_is_taught_keeps_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(model: torch.nn.Module, *_: object, **__: object) -> None:
        with torch.no_grad():
            next(model.parameters()).fill_(torch.nan)
        raise KeyboardInterrupt

    monkeypatch.setattr(target_teaching, "distil", interrupted)
    monkeypatch.setattr(target_teaching, "_is_clear", lambda gain: True)
    # Of 500 rows 25 are held out, on which boosting and the model are compared.
    synthesizer = quick(target="member", max_epochs=1).fit(people_table(500))
    assert synthesizer.training_.stopped == "interrupted"
    assert bool(_weights(synthesizer).isfinite().all())
    assert len(synthesizer.sample(5)) == 5


def test_settings_that_change_the_run_start_it_afresh(tmp_path: Path) -> None:
    table = people_table(2000)

    def interrupt(step: Step) -> None:
        if step.done > 0.5:
            raise KeyboardInterrupt

    quick(batch_rows=32).fit(table, checkpoint_dir=tmp_path, progress=interrupt)
    other = quick(batch_rows=32, seed=1).fit(table, checkpoint_dir=tmp_path)
    assert torch.equal(_weights(other), _weights(quick(batch_rows=32, seed=1).fit(table)))


def test_rare_values_are_neither_learned_nor_drawn(
    fitted: Synthesizer, people: pd.DataFrame
) -> None:
    assert RARE not in fitted.schema_.column("job").to_json()["categories"]
    assert RARE not in set(fitted.sample(2000).to_pandas()["job"])
    with pytest.raises(ConditionError, match=RARE):
        fitted.sample(5, where={"job": RARE})
    keeping = quick(keep_rare=True).fit(people)
    assert RARE in keeping.schema_.column("job").to_json()["categories"]
    assert keeping.sample(5, where={"job": RARE}).to_pandas()["job"].eq(RARE).all()


@pytest.mark.parametrize(
    "where",
    [
        {"job": "pilot"},
        {"pay": None},
        {"age": 40, "member": True},
        {"age": "40", "job": "clerk", "pay": 1000.25, "member": False},
    ],
)
def test_given_values_are_written_exactly(fitted: Synthesizer, where: dict[str, object]) -> None:
    rows = fitted.sample(300, where=where).to_pandas()
    for name, value in where.items():
        if value is None:
            assert rows[name].isna().all()
        else:
            assert (rows[name].astype(str) == str(value)).all()
    for name in set(rows.columns) - set(where):
        assert rows[name].nunique() > 1


def test_a_given_table_brings_its_rows_in_order(fitted: Synthesizer) -> None:
    given = pd.DataFrame({"job": ["clerk", "pilot"] * 60, "age": np.arange(120) % 50 + 20})
    rows = fitted.sample(given=given).to_pandas()
    assert rows["job"].tolist() == given["job"].tolist()
    assert rows["age"].tolist() == given["age"].tolist()
    with pytest.raises(ConditionError, match=r"n is 7.*120 rows"):
        fitted.sample(7, given=given)


def test_where_and_given_may_speak_of_different_columns_only(fitted: Synthesizer) -> None:
    given = pd.DataFrame({"age": [30, 40, 50]})
    rows = fitted.sample(given=given, where={"job": "baker"}).to_pandas()
    assert rows["age"].tolist() == [30, 40, 50]
    assert rows["job"].eq("baker").all()
    with pytest.raises(ConditionError, match="given twice"):
        fitted.sample(given=given, where={"age": 30})


@pytest.mark.parametrize("where", [{"wage": 3}, {"job": "astronaut"}, {"age": 500}, {"age": "old"}])
def test_a_condition_the_schema_cannot_hold_is_refused(
    fitted: Synthesizer, where: dict[str, object]
) -> None:
    with pytest.raises(ConditionError):
        fitted.sample(5, where=where)
