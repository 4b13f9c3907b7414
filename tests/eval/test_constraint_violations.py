"""Constraints: shares of broken rows worked by hand, and the headline they answer."""

import pandas as pd
import pyarrow as pa
import pytest
from llmsynth_eval.coded_table import encode
from llmsynth_eval.fidelity.constraint_violations import ConstraintViolations
from llmsynth_eval.input_tables import plan_columns
from llmsynth_eval.metric import Comparison

from llmsynth.errors import SchemaError, TableError
from llmsynth.schema.columns import CategoryColumn, NumberColumn
from llmsynth.schema.constraints import FixedCombinations, Inequality, MissingExactlyWhen, Sum
from llmsynth.schema.table_schema import TableSchema

COLUMNS = (
    NumberColumn(name="a", minimum="0", maximum="9", nullable=True),
    NumberColumn(name="b", minimum="0", maximum="9"),
    NumberColumn(name="s", minimum="0", maximum="18"),
    CategoryColumn(name="c", categories=("x", "y")),
)
REAL = pa.table({"a": [1, 2, None, 4], "b": [2, 2, 5, 9], "s": [3, 4, 5, 13], "c": list("xyxy")})


def measured(synthetic, *constraints, holdout=REAL, repeat=1):
    schema = TableSchema(columns=COLUMNS, constraints=constraints)
    tables = [pa.concat_tables([t] * repeat) for t in (REAL, synthetic, holdout)]
    frames = dict(
        zip(("train", "synthetic", "holdout"), (t.to_pandas() for t in tables), strict=True)
    )
    comparison = Comparison(**encode(frames, plan_columns(frames["train"])))
    train, ours, other = tables
    metric = ConstraintViolations(schema=schema, train=train, synthetic=ours, holdout=other)
    return metric.compute(comparison)


def changed(**columns):
    return pa.table({**REAL.to_pydict(), **columns}, schema=REAL.schema)


@pytest.mark.parametrize(
    ("rule", "changes", "share"),
    [
        (Inequality(low="a", high="b"), {"b": [0, 2, 0, 3]}, 0.5),
        (Inequality(low="a", high="b", strict=True), {}, 0.25),
        (Sum(parts=("a", "b"), total="s"), {"s": [3, 3, 9, 12]}, 0.5),
        (MissingExactlyWhen(column="a", when="b", equals="5"), {"b": [5, 2, 4, 9]}, 0.5),
        (FixedCombinations(columns=("c",), combinations=(("x",),)), {}, 0.5),
        (FixedCombinations(columns=("b", "c")), {"c": list("xyyy")}, 0.25),
    ],
)
def test_each_kind_is_counted(rule, changes, share):
    measurement = measured(changed(**changes), rule)
    assert measurement.figures[0].value == share
    assert measurement.tables[0].rows[0][3] == share


def test_a_row_that_breaks_two_counts_once():
    rules = Inequality(low="a", high="b"), Sum(parts=("a", "b"), total="s")
    assert measured(changed(b=[0, 2, 5, 9]), *rules).figures[0].value == 0.25


def test_more_violations_than_in_real_rows_are_an_alarm_and_equally_many_are_not():
    rule = Inequality(low="a", high="b", strict=True)
    equal = measured(REAL, rule, repeat=20).headlines[0]
    assert (equal.answer, equal.effect) == ("good", 0)
    worse = measured(changed(b=[0, 2, 5, 9]), rule, repeat=20).headlines[0]
    assert worse.answer == "alarm"
    assert "a < b" in worse.words


def test_learned_combinations_are_held_against_the_holdout():
    fresh = changed(c=list("xyyy"))
    rule = FixedCombinations(columns=("b", "c"))
    assert measured(fresh, rule, holdout=fresh, repeat=50).headlines[0].answer == "good"
    assert measured(fresh, rule, repeat=50).headlines[0].answer == "alarm"


def test_no_constraint_is_not_measured():
    measurement = measured(REAL)
    assert measurement.headlines[0].answer == "not measured"
    assert measurement.figures == ()


def test_data_frames_serve_as_well_and_wrong_input_is_refused():
    schema = TableSchema(columns=COLUMNS, constraints=(Inequality(low="a", high="b"),))
    frame = REAL.to_pandas()
    comparison = Comparison(
        **encode(dict.fromkeys(("train", "synthetic", "holdout"), frame), plan_columns(frame))
    )
    good = ConstraintViolations(schema=schema, train=frame, synthetic=frame, holdout=frame)
    assert good.compute(comparison).figures[0].value == 0
    short = pd.DataFrame({"a": [1]})
    with pytest.raises(TableError):
        ConstraintViolations(schema=schema, train=frame, synthetic=short, holdout=frame).compute(
            comparison
        )
    rule = MissingExactlyWhen(column="a", when="b", equals="five")
    with pytest.raises(SchemaError):
        measured(REAL, rule)
