"""Filling in: known cells stay, gaps follow the rest of their row, several draws differ."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from llmsynth.errors import SettingsError
from llmsynth.models.compact import CompactShape
from llmsynth.schema import infer_schema
from llmsynth.schema.constraints import MissingExactlyWhen, Sum
from llmsynth.synthesizers import Synthesizer
from llmsynth.synthesizers.learning import _fingerprint
from llmsynth.synthesizers.preparation import prepare
from llmsynth.tables import write_table
from llmsynth.training.settings import TrainingSettings
from llmsynth.uses.imputation import impute

ROWS = 400


def complete_table() -> pa.Table:
    """`low` and `high` of a size; `double` is twice `low`; the note stays free text."""
    rng = np.random.default_rng(0)
    size = rng.choice(["small", "large"], ROWS)
    low = np.where(size == "small", rng.integers(0, 10, ROWS), rng.integers(50, 60, ROWS))
    return pa.table({"size": size.tolist(), "low": low, "double": 2 * low})


def with_gaps(table: pa.Table, seed: int = 1) -> pa.Table:
    rng = np.random.default_rng(seed)
    columns = {}
    for name in table.column_names:
        cells = np.array(table[name].to_pylist(), dtype=object)
        cells[rng.random(table.num_rows) < 0.15] = None
        columns[name] = pa.array(cells.tolist(), table[name].type)
    return pa.table(columns)


@pytest.fixture(scope="module")
def gaps() -> pa.Table:
    return with_gaps(complete_table())


@pytest.fixture(scope="module")
def fitted(gaps: pa.Table) -> Synthesizer:
    return Synthesizer(max_epochs=25, keep_rare=True).fit(gaps)


@pytest.fixture(scope="module")
def found(gaps: pa.Table, fitted: Synthesizer):
    return impute(gaps, synthesizer=fitted, draws=3, seed=5)


def test_no_gap_is_left_and_known_cells_are_untouched(found, gaps: pa.Table) -> None:
    for table in found.tables:
        assert table.num_rows == gaps.num_rows
        for name in gaps.column_names:
            was = gaps[name].to_pylist()
            now = table[name].to_pylist()
            assert None not in now
            assert all(a is None or a == b for a, b in zip(was, now, strict=True))
    assert found.filled == {name: gaps[name].null_count for name in gaps.column_names}
    assert found.left == {}
    assert found.patterns > 3


def test_gaps_follow_what_is_known_of_the_row(found, gaps: pa.Table) -> None:
    table = found.table
    known = gaps["size"].is_valid().to_numpy() & gaps["low"].is_null().to_numpy()
    sizes, lows = np.array(table["size"].to_pylist()), table["low"].to_numpy()
    right = (lows[known] < 30) == (sizes[known] == "small")
    assert right.mean() > 0.8


def test_draws_differ_and_a_seed_repeats_them(found, gaps, fitted) -> None:
    first, second, _ = found.tables
    assert not first.equals(second)
    again = impute(gaps, synthesizer=fitted, draws=3, seed=5)
    assert all(a.equals(b) for a, b in zip(found.tables, again.tables, strict=True))


def test_columns_that_were_not_asked_for_keep_their_gaps(gaps, fitted) -> None:
    only = impute(gaps, columns=["low"], synthesizer=fitted)
    assert only.table["low"].null_count == 0
    assert only.left == {name: gaps[name].null_count for name in ("size", "double")}
    with pytest.raises(SettingsError, match="No column 'lo'"):
        impute(gaps, columns=["lo"], synthesizer=fitted)
    with pytest.raises(SettingsError, match="at least 1"):
        impute(gaps, draws=0, synthesizer=fitted)


def test_its_own_fit_learns_no_gap_and_what_the_cells_have_to_do_with_each_other() -> None:
    table = complete_table()
    gaps = with_gaps(table)
    found = impute(gaps, synthesizer=Synthesizer(keep_rare=True, max_epochs=25))
    drawn = found.synthesizer.sample(400).table
    assert sum(column.null_count for column in drawn.columns) < 6
    plain = Synthesizer(keep_rare=True, max_epochs=2).fit(gaps).sample(400).table
    assert sum(column.null_count for column in plain.columns) > 60
    was_gap = gaps["double"].is_null().to_numpy() & gaps["low"].is_valid().to_numpy()
    near = np.abs(found.table["double"].to_numpy() - table["double"].to_numpy())[was_gap]
    assert np.median(near) < 6  # of 0 to 118; the other size is 80 away
    record = found.synthesizer.provenance_["data"]
    assert isinstance(record, dict)
    assert record["gaps_left_out"]


def test_cells_to_fill_that_make_no_sense_are_refused(gaps: pa.Table) -> None:
    every = np.ones(ROWS, dtype=bool)
    with pytest.raises(SettingsError, match="private fit"):
        Synthesizer(epsilon=1.0).fit(gaps, to_fill={"low": every})
    with pytest.raises(SettingsError, match="the column 'lo', which the table lacks"):
        Synthesizer().fit(gaps, to_fill={"lo": every})
    with pytest.raises(
        SettingsError, match=r"bool of shape \(400,\), one a row; got bool of shape"
    ):
        Synthesizer().fit(gaps, to_fill={"low": every[1:]})


def test_a_checkpoint_is_of_the_cells_that_were_to_be_filled(gaps: pa.Table) -> None:
    def mark(names: tuple[str, ...]) -> str:
        to_fill = {name: gaps[name].is_null().to_numpy() for name in names}
        ready = prepare(gaps, None, target=None, keep_rare=True, drop_text=True, to_fill=to_fill)
        shape = CompactShape(place_sizes=tuple(int(n) for n in ready.language.place_sizes))
        return _fingerprint(ready, TrainingSettings(), shape, None)

    asked = [(), ("low",), ("low", "size"), ("size",)]
    assert len({mark(names) for names in asked}) == 4
    assert mark(("low",)) == mark(("low",))


def test_rows_of_which_nothing_is_known_are_filled_all_the_same() -> None:
    cells = [None, None, None, 3, 4] * 20
    table = pa.table({"a": cells, "nothing": pa.nulls(100, pa.int64())})
    found = impute(table, synthesizer=Synthesizer(keep_rare=True, batch_rows=2, max_epochs=1))
    assert set(found.table["a"].to_pylist()) == {3, 4}
    assert found.left == {"nothing": 100}


def test_nothing_is_learned_where_nothing_is_missing() -> None:
    table = complete_table()
    with pytest.raises(SettingsError, match="No cell of low is missing") as refused:
        impute(table, columns=["low"])
    assert refused.value.hint is not None
    assert "`missing`" in refused.value.hint


def test_a_fitted_synthesizer_gives_a_whole_table_back(fitted) -> None:
    found = impute(complete_table(), synthesizer=fitted)
    assert found.table.to_pylist() == complete_table().to_pylist()
    assert found.filled == {}


def test_cells_that_were_never_learned_take_no_part(gaps, fitted) -> None:
    odd = gaps.set_column(0, "size", pa.array(["gigantic"] * ROWS, pa.string()))
    out = impute(odd, synthesizer=fitted).table
    assert set(out["size"].to_pylist()) == {"gigantic"}
    assert out["low"].null_count == 0


def test_a_gap_that_a_constraint_wants_stays_and_a_sum_is_computed() -> None:
    rng = np.random.default_rng(2)
    pets = rng.choice(["yes", "no"], 200)
    names = [None if pet == "no" else str(rng.choice(["Rex", "Tom"])) for pet in pets]
    a, b = rng.integers(0, 9, 200), rng.integers(0, 9, 200)
    total: list[int | None] = (a + b).tolist()
    total[:30] = [None] * 30
    table = pa.table({"pet": pets.tolist(), "name": names, "a": a, "b": b, "total": total})
    rules = (
        MissingExactlyWhen(column="name", when="pet", equals="no"),
        Sum(parts=("a", "b"), total="total"),
    )
    inferred = infer_schema(table)
    schema = type(inferred)(columns=inferred.columns, constraints=rules)
    found = impute(table, synthesizer=Synthesizer(schema=schema, keep_rare=True, max_epochs=2))
    assert found.left == {"name": names.count(None)}
    assert found.table["total"].to_pylist() == (a + b).tolist()
    assert found.broken_rows == 0


def test_the_command_writes_a_file_a_draw(tmp_path, gaps, fitted, invoke_app) -> None:
    write_table(gaps, tmp_path / "gaps.csv")
    fitted.save(tmp_path / "model")
    out = tmp_path / "full.csv"
    status, told, _ = invoke_app(
        [
            "impute",
            tmp_path / "gaps.csv",
            "--synthesizer",
            tmp_path / "model",
            "--draws",
            "2",
            "--out",
            out,
        ]
    )
    assert status == 0
    assert "Filled" in told
    texts = [(tmp_path / f"full-{n}.csv").read_text(encoding="utf-8") for n in (1, 2)]
    assert texts[0] != texts[1]
    assert all(",," not in text and not text.endswith(",\n") for text in texts)
