"""The loss, by hand: even predictions, unused places, weighted rows."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from llmsynth.models.compact import CompactModel, CompactShape
from llmsynth.training.loss import place_losses
from llmsynth.training.sequences import Shuffler


def _setting(*sizes: int) -> tuple[CompactModel, Shuffler]:
    torch.manual_seed(0)
    shape = CompactShape(
        hidden_size=16, num_layers=1, num_heads=1, intermediate_size=16, place_sizes=sizes
    )
    columns = torch.arange(len(sizes))
    shuffler = Shuffler(
        sizes, columns, shape.begin_token, usual_order=columns, none_given_share=0.5
    )
    return CompactModel(shape), shuffler


def _losses(setting: tuple[CompactModel, Shuffler], codes: Tensor) -> list[float]:
    model, shuffler = setting
    batch = shuffler(codes, torch.Generator().manual_seed(0))
    losses = place_losses(model, batch, codes, dtype=torch.float32)
    return [loss.item() for loss in losses]


def test_an_untrained_model_pays_log_two_for_each_of_two_tokens() -> None:
    losses = _losses(_setting(2), torch.tensor([[0], [1], [1]]))
    assert losses == [pytest.approx(3 * math.log(2))]


def test_each_place_pays_for_its_own_number_of_tokens() -> None:
    losses = _losses(_setting(2, 5), torch.tensor([[0, 4], [1, 2]]))
    assert losses == [pytest.approx(2 * math.log(2)), pytest.approx(2 * math.log(5))]


def test_unused_places_cost_nothing() -> None:
    losses = _losses(_setting(2, 5, 3), torch.tensor([[0, -1, -1], [1, 2, -1], [-1, -1, -1]]))
    assert losses == [pytest.approx(2 * math.log(2)), pytest.approx(math.log(5)), 0.0]


def test_a_batch_that_uses_no_place_costs_nothing_and_has_a_gradient() -> None:
    model, shuffler = _setting(2, 5)
    codes = torch.full((3, 2), -1)
    batch = shuffler(codes, torch.Generator().manual_seed(0))
    total = torch.stack(place_losses(model, batch, codes, dtype=torch.float32)).sum()
    total.backward()
    assert float(total.detach()) == 0.0


def test_the_loss_is_the_log_of_the_softmax_over_the_place_alone() -> None:
    model, shuffler = _setting(2, 3)
    with torch.no_grad():
        model.head.normal_()
    codes = torch.tensor([[1, 2]])
    batch = shuffler(codes, torch.Generator().manual_seed(0))
    states = model(batch.tokens, batch.places)[0]
    for place, loss in enumerate(place_losses(model, batch, codes, dtype=torch.float32)):
        state = states[int(batch.position_of[place, 0])]
        shares = (model.place_head(place, torch.float32) @ state).softmax(0)
        expected = -shares[codes[0, place]].log().item()
        assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_context_costs_nothing() -> None:
    model, shuffler = _setting(2, 5)
    codes = torch.tensor([[0, 4], [1, 2]])
    batch = shuffler(codes, torch.Generator().manual_seed(0))
    losses = place_losses(model, batch, codes, dtype=torch.float32, context=frozenset({0}))
    assert [loss.item() for loss in losses] == [0.0, pytest.approx(2 * math.log(5))]
