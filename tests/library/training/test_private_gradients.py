import numpy as np
import pytest
import torch

from llmsynth.models.compact import CompactShape
from llmsynth.models.curves import CurvedModel, rank_waves
from llmsynth.training.loss import place_losses
from llmsynth.training.private_gradients import CompactUnitGradients
from llmsynth.training.sequences import Sequences, Shuffler

SIZES = (5, 9, 3, 20)
WEIGHTS = torch.tensor([1.0, 1.0, 4.0, 1.0])


@pytest.fixture
def model() -> CurvedModel:
    torch.manual_seed(0)
    shape = CompactShape(
        hidden_size=16, num_layers=2, num_heads=2, intermediate_size=32, place_sizes=SIZES
    )
    waves = {
        3: rank_waves(np.arange(20.0), np.ones(20)),
        1: rank_waves(np.arange(9.0), np.ones(9)),
    }
    model = CurvedModel(shape, waves)
    with torch.no_grad():
        model.head.normal_(std=0.3)
        model.head_curves.normal_(std=0.3)
    return model


def shuffler() -> Shuffler:
    return Shuffler(
        SIZES,
        torch.tensor([0, 1, 2, 2]),
        sum(SIZES),
        usual_order=torch.tensor([0, 1, 2]),
        none_given_share=0.3,
    )


def rows(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    codes = torch.stack([torch.randint(0, k, (count,), generator=generator) for k in SIZES], 1)
    codes[2, 3] = codes[4, 1] = -1
    return codes


def slow_gradients(model: CurvedModel, codes: torch.Tensor) -> list[list[torch.Tensor]]:
    """Each row's gradient by itself, by autograd."""
    parameters = CompactUnitGradients(model, shuffler(), WEIGHTS, seed=3).parameters
    batch = shuffler()(codes, torch.Generator().manual_seed(3))
    out = []
    for row in range(len(codes)):
        one = slice(row, row + 1)
        single = Sequences(batch.tokens[one], batch.places[one], batch.position_of[:, one])
        losses = place_losses(model, single, codes[one], dtype=torch.float32)
        out.append(list(torch.autograd.grad(torch.stack(losses) @ WEIGHTS, parameters)))
    return out


def norm(gradients: list[torch.Tensor]) -> float:
    return float(torch.sqrt(sum(part.square().sum() for part in gradients)))


def test_norms_and_clipped_sums_are_those_of_single_gradients(model):
    codes, bound = rows(8), 0.7
    slow = slow_gradients(model, codes)
    fast = CompactUnitGradients(model, shuffler(), WEIGHTS, seed=3).clipped_sum(
        codes, torch.arange(8), bound
    )
    torch.testing.assert_close(fast.norms, torch.tensor([norm(g) for g in slow]))
    for index, total in enumerate(fast.gradients):
        expected = sum(g[index] * min(1.0, bound / norm(g) / 1.001) for g in slow)
        torch.testing.assert_close(total, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("bound", [0.01, 1.0, 30.0, 1e6])
def test_one_unit_never_moves_the_sum_by_more_than_the_bound(model, bound):
    codes = rows(6)
    for unit in range(6):
        alone = CompactUnitGradients(model, shuffler(), WEIGHTS, seed=3).clipped_sum(
            codes[unit : unit + 1], torch.zeros(1, dtype=torch.long), bound
        )
        assert norm(alone.gradients) <= bound
        assert bound < 1e5 or norm(alone.gradients) == pytest.approx(float(alone.norms), rel=1e-4)


def test_planted_duplicates_of_one_unit_are_clipped_together(model):
    codes = rows(6)
    codes[1] = codes[2] = codes[0]
    units = torch.tensor([0, 0, 0, 1, 2, 3])
    gradients = CompactUnitGradients(model, shuffler(), WEIGHTS, seed=3)
    twins = gradients.clipped_sum(codes[:3], units[:3], 1.0)
    assert norm(twins.gradients) <= 1.0
    # As three units of their own they would have moved the sum by up to three bounds.
    apart = gradients.clipped_sum(codes[:3], torch.arange(3), 1.0)
    assert norm(apart.gradients) > 1.5


def test_other_units_in_the_batch_change_nothing_for_a_unit(model):
    codes = rows(8)
    plain = Shuffler(
        SIZES,
        torch.tensor([0, 1, 2, 2]),
        sum(SIZES),
        usual_order=torch.tensor([0, 1, 2]),
        none_given_share=1.0,
    )
    gradients = CompactUnitGradients(model, plain, WEIGHTS, seed=3)
    together = gradients.clipped_sum(codes, torch.arange(8), 1e6)
    without = gradients.clipped_sum(codes[1:], torch.arange(7), 1e6)
    alone = gradients.clipped_sum(codes[:1], torch.arange(1), 1e6)
    for whole, rest, one in zip(
        together.gradients, without.gradients, alone.gradients, strict=True
    ):
        torch.testing.assert_close(whole - rest, one, rtol=1e-3, atol=1e-4)
