"""Rules found in a table: those it was made with, none that chance made, few exceptions told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from llmsynth import infer_schema
from llmsynth.rules import Discovery, discover_rules
from llmsynth.schema.constraints import in_words
from llmsynth.tables.conforming import conform

ROWS = 600


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def found(**columns: Sequence[object]) -> Discovery:
    table = pa.table(columns)
    schema = infer_schema(table)
    return discover_rules(conform(table, schema), schema)


def exact(**columns: Sequence[object]) -> set[str]:
    return {in_words(rule) for rule in found(**columns).exact}


def test_a_sum_is_found_and_so_is_one_of_many_parts() -> None:
    a, b, c = (rng(seed).integers(0, 500, ROWS) for seed in range(3))
    assert exact(a=a, b=b, s=a + b) == {"a + b = s"}
    assert exact(a=a, b=b, c=c, s=a + b + c) == {"a + b + c = s"}


def test_products_ratios_and_units_are_found_with_their_rounding() -> None:
    quantity, cents = rng(1).integers(1, 20, ROWS), rng(2).integers(100, 9999, ROWS)
    price = (cents / 100).tolist()
    total = [round(q * c / 100, 1) for q, c in zip(quantity.tolist(), cents.tolist(), strict=True)]
    assert exact(q=quantity, price=price, total=total) == {"total = product of q, price"}
    share = [round(100 * a / b, 1) for a, b in zip(cents.tolist(), quantity.tolist(), strict=True)]
    assert exact(cents=cents, q=quantity, share=share) == {"share = ratio of cents, q, 100"}
    celsius = [round(x / 10, 1) for x in rng(3).integers(-200, 400, ROWS).tolist()]
    fahrenheit = [round(1.8 * x + 32, 1) for x in celsius]
    assert exact(c=celsius, f=fahrenheit) & {"f = linear of c, 1.8, 32"}


def test_parts_of_a_date_and_ages_are_found_and_days_between_two_dates() -> None:
    born = [
        dt.date(1940, 1, 1) + dt.timedelta(days=int(n)) for n in rng(4).integers(0, 25000, ROWS)
    ]
    day = dt.date(2024, 7, 1)
    age = [day.year - b.year - ((day.month, day.day) < (b.month, b.day)) for b in born]
    (words,) = exact(born=born, age=age)
    assert words.startswith("age = age of born, 2024-0")
    assert exact(born=born, month=[b.month for b in born]) == {"month = month of born"}
    sunday_first = [(b.weekday() + 1) % 7 for b in born]
    assert exact(born=born, wd=sunday_first) == {"wd = weekday of born, 1"}
    stay = rng(5).integers(0, 30, ROWS).tolist()
    end = [b + dt.timedelta(days=n) for b, n in zip(born, stay, strict=True)]
    assert exact(born=born, end=end, stay=stay) == {"stay = days of born, end"}


def test_a_town_fixes_its_state_and_the_state_the_country() -> None:
    town = rng(6).integers(0, 12, ROWS)
    columns = {
        "town": [f"town {n}" for n in town],
        "state": [f"state {n // 3}" for n in town],
        "country": [f"country {n // 6}" for n in town],
    }
    assert exact(**columns) == {
        "known combinations of town, state",
        "known combinations of state, country",
    }


def test_columns_of_which_one_is_1_are_a_group() -> None:
    colour = rng(7).integers(0, 4, ROWS)
    columns = {f"is_{n}": (colour == n).astype(int) for n in range(4)}
    assert exact(**columns) == {"known combinations of is_0, is_1, is_2, is_3"}


def test_a_gap_that_always_goes_with_a_value_is_found_whether_zero_or_a_level() -> None:
    reviews = np.where(rng(8).random(ROWS) < 0.3, 0, rng(9).integers(1, 300, ROWS))
    rates = (rng(10).random(ROWS) * 13).round(2).tolist()
    rate = [None if n == 0 else x for n, x in zip(reviews, rates, strict=True)]
    words = exact(reviews=reviews, rate=rate)
    assert "rate is missing exactly when reviews is 0" in words


def test_an_order_is_found_where_the_two_come_near_and_not_where_sizes_alone_make_it() -> None:
    start = rng(11).integers(0, 100_000, ROWS)
    end = start + rng(12).exponential(300, ROWS).astype(int)
    assert exact(start=start, end=end) == {"start <= end"}
    length, width = rng(13).normal(50, 6, ROWS), rng(14).normal(20, 4, ROWS)
    assert exact(length=length.round(1), width=width.round(1)) == set()


@pytest.mark.parametrize("seed", range(12))
def test_columns_that_have_nothing_to_do_with_each_other_have_no_rules(seed: int) -> None:
    random = rng(100 + seed)
    days = random.integers(0, 900, ROWS)
    table = {
        "level": [f"l{n}" for n in random.integers(0, 9, ROWS)],
        "rare": [f"r{n}" for n in np.minimum(random.geometric(0.6, ROWS), 6)],
        "flag": random.integers(0, 2, ROWS),
        "mostly": (random.random(ROWS) < 0.03).astype(int),
        "count": random.poisson(3, ROWS),
        "amount": random.lognormal(3, 1, ROWS).round(2),
        "score": random.normal(50, 10, ROWS).round(),
        "day": [dt.date(2020, 1, 1) + dt.timedelta(days=int(n)) for n in days],
        "gaps": [None if x < 0.2 else round(x, 2) for x in random.random(ROWS)],
    }
    assert found(**table).exact == ()


def test_a_rule_that_few_rows_break_is_proposed_with_their_number_and_not_kept() -> None:
    town = rng(15).integers(0, 12, ROWS)
    state = [f"state {n // 3}" for n in town]
    state[17] = "state 9"
    result = found(town=[f"town {n}" for n in town], state=state)
    assert {rule.kind for rule in result.exact} == {"constant_when"}
    assert "known combinations of town, state, but for 1 rows" in {p.words for p in result.near}


def test_a_rule_of_the_rows_searched_that_another_row_breaks_is_not_exact() -> None:
    a, b = rng(16).integers(0, 500, 60_000), rng(17).integers(0, 500, 60_000)
    total = a + b
    # Not among the evenly spread rows that are searched.
    total[1 + int(np.flatnonzero(np.diff(np.linspace(0, 59_999, 50_000).astype(int)) > 1)[0])] += 1
    result = found(a=a, b=b, s=total)
    assert result.exact == ()
    assert [proposal.exceptions for proposal in result.near] == [1]


def test_few_rows_and_very_many_columns_are_not_looked_through_and_that_is_said() -> None:
    assert "fewer than 50 rows" in found(a=[1] * 20, b=[2] * 20).skipped
    wide = {f"c{n}": rng(n).integers(0, 9, 60) for n in range(201)}
    assert "more than 200 columns" in found(**wide).skipped
