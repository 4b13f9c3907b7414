"""Digits that are noise are found, and only those."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from llmsynth.codec.column_code import SKIPPED
from llmsynth.codec.flat_places import flat_places
from llmsynth.codec.row_language import RowLanguage
from llmsynth.schema import TableSchema, infer_schema

ROWS = 12_000


def chance(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


def flat(values: np.ndarray) -> tuple[RowLanguage, list[int]]:
    table = pa.table({"x": values})
    language = RowLanguage(TableSchema(columns=infer_schema(table).columns))
    return language, sorted(flat_places(language, language.encode(table)))


def weights(rows: int = ROWS, seed: int = 7) -> np.ndarray:
    """Six digits, of which a person's weight in a census has about three that mean anything."""
    return chance(seed).normal(190_000, 60_000, rows).clip(20_000, 700_000).astype(np.int64)


def test_the_last_digits_of_a_smooth_column_are_noise() -> None:
    language, places = flat(weights())
    assert places
    assert places[-1] == len(language.place_sizes) - 1
    assert 0 not in places


def test_false_alarms_on_noise_are_rare() -> None:
    last = len(flat(weights())[0].place_sizes) - 1
    assert sum(last in flat(weights(seed=seed))[1] for seed in range(20)) >= 19


def test_digits_that_people_round_are_not() -> None:
    rounded = weights()
    half = chance(1).random(ROWS) < 0.1
    rounded[half] = rounded[half] // 100 * 100
    assert flat(rounded)[1] == []


def test_even_digits_that_follow_from_the_leading_ones_are_not() -> None:
    leading = chance().integers(10, 90, ROWS)
    last = (leading - 10) // 8 * 10 + chance(1).integers(0, 10, ROWS)
    assert np.ptp(np.bincount(last // 10)) < ROWS / 50
    assert flat(leading * 10_000 + chance(2).integers(0, 100, ROWS) * 100 + last)[1] == []


def test_repeated_rows_do_not_make_noise_look_like_structure() -> None:
    language, places = flat(np.repeat(weights(ROWS // 3), 3))
    assert places[-1] == len(language.place_sizes) - 1


def test_a_digit_before_one_that_matters_matters_too() -> None:
    values = weights() // 10 * 10 + chance(2).choice([0, 1, 2], ROWS, p=[0.7, 0.2, 0.1])
    assert flat(values)[1] == []


def test_a_handful_of_rows_says_nothing_about_its_digits() -> None:
    assert flat(weights(199))[1] == []


def test_a_few_hundred_rows_do() -> None:
    language, places = flat(weights(400))
    assert places[-1] == len(language.place_sizes) - 1


def test_digits_that_people_round_in_a_small_table_are_not() -> None:
    rounded = weights(400)
    some = chance(1).random(400) < 0.15
    rounded[some] = rounded[some] // 100 * 100
    assert flat(rounded)[1] == []


def test_the_tail_of_a_lopsided_column_is_noise_too() -> None:
    # One value of 8,000 makes leading groups of tens, of which most rows share four.
    values = np.append(chance().lognormal(3, 0.5, ROWS).round(4), 8_000.1234)
    language, places = flat(values)
    assert places == list(range(2, len(language.place_sizes)))


def test_computed_numbers_are_noise_behind_their_leading_digits() -> None:
    values = chance().normal(0, 1, ROWS)
    language, places = flat(values)
    assert len(language.place_sizes) >= 9
    assert places == list(range(1, len(language.place_sizes)))


def test_round_numbers_among_computed_ones_keep_their_zeros() -> None:
    values = chance().normal(0, 1, ROWS)
    some = chance(1).random(ROWS) < 0.2
    values[some] = values[some].round(2)
    assert flat(values)[1] == []


def test_prices_that_carry_errors_of_arithmetic_keep_theirs() -> None:
    cents = chance().integers(100, 20_000, ROWS)
    assert flat(cents * 0.01)[1] == []


def test_a_leading_group_of_few_values_is_no_evidence() -> None:
    values = chance().integers(0, 2, ROWS) * 100_000 + chance(3).integers(0, 1000, ROWS)
    assert flat(values)[1] == []


def test_rows_that_do_not_use_a_place_do_not_count() -> None:
    table = pa.table({"x": weights(), "y": pa.array(["a", "b"] * (ROWS // 2))})
    language = RowLanguage(TableSchema(columns=infer_schema(table).columns))
    codes = language.encode(table)
    whole = flat_places(language, codes)
    assert whole
    codes[np.arange(ROWS) % 120 > 0, :] = SKIPPED
    assert flat_places(language, codes) == frozenset()
