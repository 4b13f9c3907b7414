"""Curves over ordered tokens: the same function once folded, and alike for neighbours."""

from __future__ import annotations

import numpy as np
import torch

from llmsynth.models.compact import CompactModel, CompactShape
from llmsynth.models.curves import CurvedModel, rank_waves

_SHAPE = CompactShape(
    hidden_size=32, num_layers=2, num_heads=2, intermediate_size=32, place_sizes=(3, 9, 4)
)
_VALUES = np.array([np.nan, 0, 1, 2, 3, 4, 5, 6, 7])


def _model() -> CurvedModel:
    torch.manual_seed(0)
    model = CurvedModel(_SHAPE, {1: rank_waves(_VALUES, np.ones(9))})
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return model


def test_waves_are_cosines_of_the_mid_rank() -> None:
    waves = rank_waves(np.array([5.0, 1.0, np.nan]), np.array([1.0, 9.0, 4.0]))
    shares = np.array([0.875, 0.375])  # widths are roots of rows: 3 below, 1 above
    expected = np.sqrt(2) * np.cos(np.pi * shares[:, None] * np.arange(1, 13))
    np.testing.assert_allclose(waves[:2].numpy(), expected, atol=0.02)
    assert torch.equal(waves[2], torch.zeros(12))


def test_a_folded_model_computes_the_same() -> None:
    curved = _model()
    plain = curved.folded()
    assert type(plain) is CompactModel
    tokens = torch.tensor([[_SHAPE.begin_token, 1, 7, 13], [_SHAPE.begin_token, 3, 15, 2]])
    places = torch.tensor([[0, 1, 2, 1], [1, 2, 0, 1]])
    states, twins = curved(tokens, places), plain(tokens, places)
    torch.testing.assert_close(states, twins)
    for place in range(3):
        ours = states @ curved.place_head(place, torch.float32).t()
        torch.testing.assert_close(ours, twins @ plain.place_head(place, torch.float32).t())


def test_neighbours_on_the_number_line_start_alike() -> None:
    torch.manual_seed(0)
    shape = CompactShape(hidden_size=256, place_sizes=(3, 40))
    model = CurvedModel(shape, {1: rank_waves(np.arange(40.0), np.ones(40))})
    rows = torch.nn.functional.normalize(model.token_table()[3:43].detach(), dim=1)
    alike = rows @ rows.t()
    assert float(alike.diagonal(1).mean()) > 0.7
    assert float(alike.diagonal(1).mean()) > float(alike.diagonal(20).mean()) + 0.4


def test_tokens_without_a_place_on_the_line_stay_on_their_own() -> None:
    model = _model()
    table = model.token_table()
    assert torch.equal(table[:4], model.embedding[:4])
    assert torch.equal(table[12:], model.embedding[12:])
    assert not torch.allclose(table[4:12], model.embedding[4:12])


def test_a_model_without_curves_is_a_plain_one() -> None:
    torch.manual_seed(0)
    model = CurvedModel(_SHAPE, {})
    tokens, places = torch.tensor([[_SHAPE.begin_token, 1]]), torch.tensor([[0, 1]])
    torch.testing.assert_close(model(tokens, places), model.folded()(tokens, places))
