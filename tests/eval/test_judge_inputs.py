"""What judge accepts, refuses, leaves out and says about it."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from llmsynth_eval import Judgement, judge
from llmsynth_eval.cells import texts

from llmsynth.errors import InputError, SchemaError, SettingsError, TableError
from llmsynth.schema.columns import (
    CategoryColumn,
    DateColumn,
    IdentifierColumn,
    NumberColumn,
    TextColumn,
)
from llmsynth.schema.table_schema import TableSchema

GOOD = pd.DataFrame({"a": [1, 2, 3, 4, 5, 6], "b": list("xyxyxy")})


@pytest.mark.parametrize(
    ("synthetic", "words"),
    [
        (GOOD.drop(columns="b"), "missing: \\['b'\\]"),
        (GOOD.assign(c=1), "not in train: \\['c'\\]"),
        (GOOD.head(0), "synthetic table has no rows"),
        (GOOD[[]], "synthetic table has no columns"),
        (pd.concat([GOOD, GOOD[["a"]]], axis=1), "two columns called 'a'"),
        (GOOD.assign(a=["1", "2", "x", "4", "5", "6"]), "row 3 holds 'x'"),
        (GOOD.assign(a=[1, 2, np.inf, 4, 5, 6]), "finite numbers"),
        ("people.csv", "pandas DataFrame or a pyarrow Table"),
    ],
)
def test_bad_tables_are_refused_by_name(synthetic, words):
    with pytest.raises(TableError, match=words):
        judge(GOOD, synthetic, GOOD)


@pytest.mark.parametrize(
    "settings", [{"target": "z"}, {"numeric": ["a", "z"]}, {"max_rows": 0}], ids=str
)
def test_bad_settings_are_refused(settings):
    with pytest.raises(SettingsError):
        judge(GOOD, GOOD, GOOD, **settings)


def test_one_row_is_judged_as_far_as_it_can_be():
    judgement = judge(GOOD, GOOD.head(1), GOOD, target="b")
    assert judgement.values["shape"] == pytest.approx((5 / 6 + 1 / 2) / 2)
    assert judgement.values["c2st"] is None
    assert any("C2ST needs at least 3 rows" in note for note in judgement.notes)
    judge(GOOD.head(1), GOOD.head(1), GOOD.head(1), target="b").to_text()


def test_one_column_has_no_trend():
    judgement = judge(GOOD[["b"]], GOOD[["b"]], GOOD[["b"]], target="b")
    assert judgement.values["trend"] is None
    assert any("two columns" in note for note in judgement.notes)
    assert any("only column" in note for note in judgement.notes)


def test_constant_and_all_missing_columns_are_judged():
    odd = GOOD.assign(constant=7, same="s", gone=np.nan, none=None)
    judgement = judge(odd, odd, odd, target="b")
    errors = {column.name: column.error for column in judgement.columns}
    assert errors == dict.fromkeys(odd.columns, 0.0)
    assert any("gone has no value" in note for note in judgement.notes)
    filled = judge(odd, odd.assign(constant=8, gone=1.0), odd)
    worst = {column.name: column.error for column in filled.columns}
    assert worst["constant"] == worst["gone"] == 1.0


def test_a_constant_target_is_left_out_and_said():
    same = GOOD.assign(b="x")
    assert any("one value in the holdout" in n for n in judge(same, same, same, target="b").notes)


SCHEMA = TableSchema(
    columns=(
        IdentifierColumn(name="id"),
        TextColumn(name="words"),
        NumberColumn(name="n"),
        CategoryColumn(name="code", storage="int64", categories=("1", "2")),
        DateColumn(name="day", minimum="2020-01-01", maximum="2020-12-31", format="%d.%m.%Y"),
    )
)


def described(rows=6):
    return pd.DataFrame(
        {
            "id": [f"{row:08d}" for row in range(rows)],
            "words": ["so it goes"] * rows,
            "n": range(rows),
            "code": [1, 2] * (rows // 2),
            "day": [f"{row + 1:02d}.05.2020" for row in range(rows)],
        }
    )


def test_a_schema_leaves_out_identifiers_and_text_and_names_numbers():
    judgement = judge(described(), described(), described(), schema=SCHEMA)
    kinds = {column.name: column.is_numeric for column in judgement.columns}
    assert judgement.left_out == ("id", "words")
    assert kinds == {"n": True, "code": False, "day": True}
    assert any("id, words" in note for note in judgement.notes)
    with pytest.raises(SettingsError, match="identifier or free text"):
        judge(described(), described(), described(), schema=SCHEMA, target="id")
    with pytest.raises(SchemaError, match="does not describe"):
        judge(GOOD, GOOD, GOOD, schema=SCHEMA)


def test_dates_are_placed_in_time():
    later = described().assign(day=[f"{row + 4:02d}.05.2020" for row in range(6)])
    judgement = judge(described(), later, described(), schema=SCHEMA)
    assert {c.name: c.error for c in judgement.columns}["day"] == pytest.approx(0.5)
    bad = described().assign(day=[*described().day[:5], "soon"])
    with pytest.raises(TableError, match="row 6 holds 'soon'"):
        judge(described(), bad, described(), schema=SCHEMA)


def test_codes_with_a_gap_are_the_same_categories_as_codes_without():
    gappy = described().assign(code=[1.0, 2.0, 1.0, 2.0, 1.0, np.nan])
    judgement = judge(described(), gappy, described(), schema=SCHEMA)
    assert {c.name: c.error for c in judgement.columns}["code"] == pytest.approx(1 / 6)


def test_arrow_tables_give_the_same_judgement_as_pandas_ones():
    days = [dt.date(2020, 1, day) for day in range(1, 7)]
    frame = GOOD.assign(day=pd.to_datetime(days))
    arrow = pa.table({"a": list(GOOD.a), "b": list(GOOD.b), "day": pa.array(days, pa.date32())})
    other = frame.sample(frac=0.5, random_state=0)
    assert judge(arrow, other, frame, target="b") == judge(frame, other, frame, target="b")


def test_the_same_seed_gives_the_same_judgement_and_max_rows_is_said():
    rng = np.random.default_rng(0)
    tables = [pd.DataFrame(rng.normal(size=(90, 3))) for _ in range(3)]
    first, again = (judge(*tables, seed=3, max_rows=40) for _ in range(2))
    assert first == again
    assert any("at most 40 rows" in note for note in first.notes)
    assert first.counts["synthetic rows measured for the DCR share"] == 40


def test_without_a_floor_none_is_measured():
    assert set(judge(GOOD, GOOD, GOOD, floor=False).floors.values()) == {None}


def test_repeated_rows_and_likely_identifiers_are_noted():
    twice = pd.concat([GOOD, GOOD.head(2)])
    assert any("2 of 8 synthetic rows repeat" in n for n in judge(GOOD, twice, GOOD).notes)
    keyed = pd.DataFrame({"key": [f"k{row}" for row in range(150)], "n": range(150)})
    assert any("key looks like an identifier" in n for n in judge(keyed, keyed, keyed).notes)


def test_a_judgement_survives_json_and_refuses_what_is_not_one():
    judgement = judge(GOOD, GOOD.head(4), GOOD, target="b")
    assert Judgement.from_json(judgement.to_json()) == judgement
    for text in ("no", "[]", "{}", json.dumps({"format": "other"})):
        with pytest.raises(InputError):
            Judgement.from_json(text)


def test_the_text_is_aligned_and_holds_every_figure():
    judgement = judge(GOOD, GOOD, GOOD, target="b")
    lines = judgement.to_text().splitlines()
    assert lines[0].index("meaning") == lines[1].index(judgement.figures[0].meaning)
    assert all(figure.title in judgement.to_text() for figure in judgement.figures)
    assert "privacy guarantee" in judgement.verdict()


def test_mixed_cells_keep_their_own_words_whatever_their_order():
    mixed = [1, True, 1.0, "1", None, 2.5]
    forth = texts(pd.Series(mixed, dtype=object))
    back = texts(pd.Series(mixed[::-1], dtype=object))
    assert list(forth) == list(back)[::-1] == ["1", "True", "1", "1", None, "2.5"]
    assert list(texts(pd.Series([1.0, np.nan, 2.0]))) == ["1", None, "2"]
    assert list(texts(pd.Series(["a", None, "b"], dtype="category"))) == ["a", None, "b"]
