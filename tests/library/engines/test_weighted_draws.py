"""Inverse draws and the nucleus, by hand."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from llmsynth.engines.weighted_draws import invert, nucleus


def _inverted(weights: list[float], draws: list[float]) -> list[int]:
    cumulative = torch.tensor([weights]).cumsum(1).expand(len(draws), -1).contiguous()
    return invert(cumulative, torch.tensor(draws, dtype=torch.float64)).tolist()


def test_a_draw_takes_the_token_whose_share_it_falls_into() -> None:
    draws = [0.0, 0.24, 0.26, 0.49, 0.51, 0.99]
    assert _inverted([1.0, 1.0, 2.0], draws) == [0, 0, 1, 1, 2, 2]


def test_weights_need_not_sum_to_one() -> None:
    assert _inverted([30.0, 10.0], [0.74, 0.76]) == [0, 1]


@given(st.lists(st.sampled_from([0.0, 1e-8, 0.3, 7.0]), min_size=1, max_size=9), st.floats(0, 1))
def test_a_token_without_weight_is_never_drawn(weights: list[float], draw: float) -> None:
    if not any(weights):
        weights[0] = 1.0
    draw = min(draw, 1 - 2**-53)
    token = _inverted(weights, [draw])[0]
    assert weights[token] > 0


def test_the_nucleus_is_the_smallest_set_that_reaches_its_share() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    for top_p, kept in ((0.4, 1), (0.5001, 2), (0.79, 2), (0.81, 3), (1.0, 4)):
        assert int(nucleus(logits, top_p).isfinite().sum()) == kept


def test_the_likeliest_token_always_stays() -> None:
    logits = torch.tensor([[0.1, 0.9], [0.6, 0.4]]).log()
    assert nucleus(logits, 1e-9).isfinite().tolist() == [[False, True], [True, False]]
