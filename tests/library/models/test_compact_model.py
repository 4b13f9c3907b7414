"""The compact model: causality, its norm's gradient, where an untrained one starts."""

from __future__ import annotations

import torch
from torch import Tensor

from llmsynth.models.compact import NORM_EPS, CompactModel, CompactShape, unit_norm


def _model(**changes: int) -> CompactModel:
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_layers": 2, "num_heads": 2, "intermediate_size": 48} | changes
    return CompactModel(CompactShape(place_sizes=(3, 4, 5), **sizes))


def _naive_norm(x: Tensor) -> Tensor:
    return x / (x.square().mean(-1, keepdim=True) + NORM_EPS).sqrt()


def test_the_vocabulary_holds_value_tokens_then_a_beginning_then_places() -> None:
    shape = CompactShape(place_sizes=(3, 4, 5))
    assert (shape.num_tokens, shape.begin_token, shape.first_place_token) == (12, 12, 13)
    assert shape.vocabulary_size == 12 + 1 + 3


def test_a_later_token_changes_no_earlier_state() -> None:
    model = _model()
    tokens, places = torch.tensor([[12, 1, 4]]), torch.tensor([[0, 1, 2]])
    other_tokens, other_places = torch.tensor([[12, 1, 6]]), torch.tensor([[0, 1, 1]])
    states, others = model(tokens, places), model(other_tokens, other_places)
    assert torch.equal(states[:, :2], others[:, :2])
    assert not torch.allclose(states[:, 2], others[:, 2])


def test_an_earlier_token_changes_later_states() -> None:
    model = _model()
    places = torch.tensor([[0, 1, 2]])
    states = model(torch.tensor([[12, 1, 4]]), places)
    others = model(torch.tensor([[12, 2, 4]]), places)
    assert not torch.allclose(states[:, 2], others[:, 2])


def test_rows_of_a_batch_do_not_mix() -> None:
    model = _model()
    tokens = torch.tensor([[12, 1, 4], [12, 0, 6]])
    places = torch.tensor([[0, 1, 2], [0, 1, 2]])
    alone = torch.cat([model(tokens[:1], places[:1]), model(tokens[1:], places[1:])])
    torch.testing.assert_close(model(tokens, places), alone)


def test_the_unit_norm_and_its_gradient_are_those_of_the_plain_formula() -> None:
    x = torch.randn(7, 5, 24, requires_grad=True)
    twin = x.detach().clone().requires_grad_()
    weights = torch.randn(7, 5, 24)
    fast, naive = unit_norm(x), _naive_norm(twin)
    torch.testing.assert_close(fast, naive)
    (fast * weights).sum().backward()
    (naive * weights).sum().backward()
    torch.testing.assert_close(x.grad, twin.grad, atol=1e-6, rtol=1e-5)


def test_the_unit_norm_of_tiny_inputs_keeps_the_formulas_gradient() -> None:
    x = (1e-3 * torch.randn(9, 16)).requires_grad_()
    twin = x.detach().clone().requires_grad_()
    unit_norm(x)[:, 0].sum().backward()
    _naive_norm(twin)[:, 0].sum().backward()
    torch.testing.assert_close(x.grad, twin.grad, atol=1e-3, rtol=1e-4)


def test_an_untrained_model_predicts_a_place_evenly() -> None:
    model = _model()
    states = model(torch.tensor([[12]]), torch.tensor([[1]]))
    assert torch.equal(states[0, 0] @ model.place_head(1, torch.float32).t(), torch.zeros(4))


@torch.no_grad()
def test_a_model_started_at_marginals_predicts_about_them() -> None:
    marginals = [
        torch.tensor([0.7, 0.2, 0.1]),
        torch.tensor([0.05, 0.05, 0.1, 0.8]),
        torch.tensor([0.2, 0.2, 0.2, 0.2, 0.2]),
    ]
    model = _model(hidden_size=128, num_layers=4)
    model.start_at_marginals([shares.log() for shares in marginals])
    for place, shares in enumerate(marginals):
        for token in (12, 0, 5):
            state = model(torch.tensor([[token]]), torch.tensor([[place]]))[0, 0]
            logits = state @ model.place_head(place, torch.float32).t()
            apart = float((logits.softmax(-1) - shares).abs().sum() / 2)
            even = float((shares - 1 / len(shares)).abs().sum() / 2)
            assert apart < max(0.4 * even, 0.02)


def test_dropout_acts_in_training_alone() -> None:
    torch.manual_seed(0)
    model = CompactModel(CompactShape(hidden_size=32, place_sizes=(3, 4), dropout=0.5))
    tokens, places = torch.tensor([[7, 1]]), torch.tensor([[0, 1]])
    model.train()
    assert not torch.equal(model(tokens, places), model(tokens, places))
    model.eval()
    assert torch.equal(model(tokens, places), model(tokens, places))
