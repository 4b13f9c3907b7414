"""Sequences: each place once, unused places last, given columns before the others."""

from __future__ import annotations

from itertools import pairwise

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from llmsynth.training.sequences import Sequences, Shuffler

_SIZES = (3, 4, 10, 10, 2)
_COLUMNS = torch.tensor([0, 1, 2, 2, 3])
_BEGIN = sum(_SIZES)
_USUAL = [2, 0, 3, 1]
_STARTS = [0, 3, 7, 17, 27]


def _shuffler(none_given_share: float) -> Shuffler:
    return Shuffler(
        _SIZES,
        _COLUMNS,
        _BEGIN,
        usual_order=torch.tensor(_USUAL),
        none_given_share=none_given_share,
    )


def test_the_power_says_how_many_columns_are_given() -> None:
    sizes, columns, codes = (2, 2), torch.arange(2), torch.zeros(20_000, 2, dtype=torch.int64)
    for power, expected in ((1.0, 1 / 6), (2.0, 2 / 15)):
        shuffler = Shuffler(
            sizes, columns, 4, usual_order=columns, none_given_share=0.0, given_power=power
        )
        places = shuffler(codes, torch.Generator().manual_seed(0)).places
        # The second comes first where it alone is given: the mean of s (1 - s).
        assert abs(float((places[:, 0] == 1).float().mean()) - expected) < 0.01


def _codes(rows: int, *, seed: int = 0, unused: bool = True) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    columns = [torch.randint(size, (rows,), generator=generator) for size in _SIZES]
    codes = torch.stack(columns, 1)
    if unused:
        codes[torch.rand(rows, generator=generator) < 0.4, 3] = -1
        codes[torch.rand(rows, generator=generator) < 0.2, 0] = -1
    return codes


def _shuffled(codes: Tensor, share: float, seed: int = 0) -> Sequences:
    return _shuffler(share)(codes, torch.Generator().manual_seed(seed))


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 1.0]))
@settings(deadline=None)
def test_every_used_place_stands_once_and_unused_ones_last(seed: int, share: float) -> None:
    codes = _codes(40, seed=seed)
    batch = _shuffled(codes, share, seed)
    assert batch.tokens.shape == batch.places.shape
    for row, places in enumerate(batch.places.tolist()):
        used = [place for place in range(5) if codes[row, place] >= 0]
        assert sorted(places[: len(used)]) == used
        assert all(codes[row, place] < 0 for place in places[len(used) :])
        for place in used:
            assert places[int(batch.position_of[place, row])] == place


@given(st.integers(0, 10**6))
@settings(deadline=None)
def test_each_position_reads_the_token_written_before_it(seed: int) -> None:
    codes = _codes(20, seed=seed)
    batch = _shuffled(codes, 0.3, seed)
    assert bool((batch.tokens[:, 0] == _BEGIN).all())
    for row in range(20):
        length = int((codes[row] >= 0).sum())
        for position in range(1, length):
            before = int(batch.places[row, position - 1])
            expected = _STARTS[before] + int(codes[row, before])
            assert int(batch.tokens[row, position]) == expected


def test_rows_without_given_columns_take_the_usual_order() -> None:
    batch = _shuffled(_codes(50, unused=False), 1.0)
    assert bool((batch.places == torch.tensor([2, 3, 0, 4, 1])).all())


def test_given_columns_come_first_and_each_part_keeps_the_usual_order() -> None:
    batch = _shuffled(_codes(400, unused=False), 0.0)
    rank = {column: at for at, column in enumerate(_USUAL)}
    orders = set()
    for places in batch.places.tolist():
        columns = list(dict.fromkeys(int(_COLUMNS[place]) for place in places))
        ranks = [rank[column] for column in columns]
        descents = sum(left > right for left, right in pairwise(ranks))
        assert descents <= 1
        orders.add(tuple(columns))
    assert len(orders) == 2**4 - 4  # every subset first; those that lead the usual order agree


def test_the_digits_of_a_column_stay_together_and_in_order() -> None:
    batch = _shuffled(_codes(100, unused=False), 0.0)
    for places in batch.places.tolist():
        assert places.index(3) == places.index(2) + 1


def test_one_generator_state_gives_one_order() -> None:
    codes = _codes(60)
    first, second, other = (_shuffled(codes, 0.5, seed) for seed in (3, 3, 4))
    assert torch.equal(first.tokens, second.tokens)
    assert torch.equal(first.places, second.places)
    assert not torch.equal(first.places, other.places)


def test_sequences_are_no_longer_than_the_longest_row() -> None:
    codes = _codes(10, unused=False)
    codes[:, 3] = -1
    assert _shuffled(codes, 0.5).places.shape == (10, 4)


def test_the_codes_are_left_alone() -> None:
    codes = _codes(10)
    before = codes.clone()
    _shuffled(codes, 0.5)
    assert torch.equal(codes, before)


def test_context_comes_before_every_given_column_in_every_row() -> None:
    shuffler = Shuffler(
        _SIZES,
        _COLUMNS,
        _BEGIN,
        usual_order=torch.tensor(_USUAL),
        none_given_share=0.3,
        num_context=2,
    )
    batch = shuffler(_codes(200, unused=False), torch.Generator().manual_seed(0))
    assert bool((batch.places[:, :3] == torch.tensor([2, 3, 0])).all())
    assert len({tuple(places) for places in batch.places.tolist()}) == 2
