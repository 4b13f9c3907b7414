"""Values far from all others: units of their own, with nothing between them and the rest."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa

from llmsynth.codec.row_language import RowLanguage
from llmsynth.codec.sentinels import with_sentinels
from llmsynth.privacy.rare_values import protect_rare_values
from llmsynth.schema import DateColumn, NumberColumn, infer_schema

SCORES = [-999 if at % 6 == 0 else 300 + at % 550 for at in range(900)]
OPEN = dt.date(9999, 12, 31)
DAYS = [OPEN if at % 4 == 0 else dt.date(2020, 1, 1) + dt.timedelta(days=at) for at in range(900)]
TABLE = pa.table({"score": SCORES, "valid_to": DAYS})


def test_a_code_and_an_open_end_are_apart_from_the_bounds_and_come_back() -> None:
    schema = with_sentinels(TABLE, infer_schema(TABLE))
    score, valid_to = schema.columns
    assert isinstance(score, NumberColumn)
    assert (score.sentinels, score.minimum, score.maximum) == (("-999",), "300", "849")
    assert isinstance(valid_to, DateColumn)
    assert valid_to.sentinels == ("9999-12-31",)
    assert valid_to.maximum == max(day for day in DAYS if day != OPEN).isoformat()
    language = RowLanguage(schema)
    assert language.decode(language.encode(TABLE)).equals(TABLE)
    for row in TABLE.slice(0, 8).to_pylist():
        assert language.parse(language.serialize(row)) == row


def test_the_automaton_writes_nothing_in_the_gap() -> None:
    schema = with_sentinels(TABLE, infer_schema(TABLE))
    code = RowLanguage(schema).codes[0]
    first = np.flatnonzero(code.automaton.allowed[0])
    alone = [t for t in first if code.automaton.following[0, t] == -1]
    tokens = np.full((len(alone), len(code.place_sizes)), -1, dtype=np.int32)
    tokens[:, 0] = alone
    assert {v for v in code.decode(tokens).to_pylist() if v < 300} == {-999}


def test_protection_stops_the_rest_and_leaves_the_code() -> None:
    schema = with_sentinels(TABLE, infer_schema(TABLE))
    protected = protect_rare_values(TABLE, schema)
    score = protected.schema.columns[0]
    assert isinstance(score, NumberColumn)
    assert int(score.minimum) > 300
    assert protected.table["score"].to_pylist().count(-999) == SCORES.count(-999)
    RowLanguage(protected.schema).encode(protected.table)


def test_spread_values_and_rare_ends_are_no_sentinels() -> None:
    skewed = pa.table({"x": [at * at for at in range(300)] + [10**9]})
    assert with_sentinels(skewed, infer_schema(skewed)) == infer_schema(skewed)
