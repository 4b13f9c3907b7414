"""Per-unit gradients of a LoRA adapter, on a small model of random weights."""

import pytest
import torch
from peft import LoraConfig, get_peft_model

from llmsynth.codec.row_tokens import TokenizedRow
from llmsynth.errors import SettingsError
from llmsynth.models.pretrained import load_pretrained
from llmsynth.training.lora import learned_weights, with_adapter
from llmsynth.training.private_adapter import AdapterUnitGradients
from llmsynth.training.row_batches import padded
from llmsynth.training.tuning_settings import TuningSettings

LENGTHS = (5, 9, 7, 12, 6)


@pytest.fixture(scope="module")
def adapted(tiny_model):
    base = load_pretrained(str(tiny_model), dtype=torch.float32, device=torch.device("cpu"))
    model = with_adapter(base.model, TuningSettings(rank=3, seed=1))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in learned_weights(model).values():
            weight.copy_(torch.randn(weight.shape, generator=generator) / 4)
    return model


def row(number: int) -> TokenizedRow:
    generator = torch.Generator().manual_seed(number)
    length = LENGTHS[number % len(LENGTHS)]
    ids = torch.randint(3, 40, (length,), generator=generator).tolist()
    return TokenizedRow(token_ids=ids, is_learned=[False, False, *[True] * (length - 2)])


def gradients(adapted, *, longest=64):
    return AdapterUnitGradients(adapted, row, padding=1, longest=longest)


def alone(adapted, number):
    """One row's gradient by autograd, nothing beside it."""
    batch = padded([row(number)], 64, 1)
    logits = adapted(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits[0, :-1]
    losses = torch.nn.functional.cross_entropy(
        logits[batch.predicts[0, :-1]], batch.targets, reduction="mean"
    )
    weights = gradients(adapted).parameters
    return torch.autograd.grad(losses, weights)


def test_norms_and_sums_are_those_of_rows_read_alone(adapted):
    own = gradients(adapted)
    found = own.clipped_sum(torch.arange(5)[:, None], torch.arange(5), 1e9)
    expected = [alone(adapted, number) for number in range(5)]
    for number, parts in enumerate(expected):
        norm = torch.sqrt(sum(part.square().sum() for part in parts))
        assert float(found.norms[number]) == pytest.approx(float(norm), rel=1e-4)
    for index, total in enumerate(found.gradients):
        wanted = sum(parts[index] for parts in expected)
        assert float((total - wanted).norm()) <= 1e-3 * float(wanted.norm())


@pytest.mark.parametrize("bound", [1e-3, 0.05, 0.4])
def test_no_unit_moves_the_sum_by_more_than_the_bound(adapted, bound):
    own = gradients(adapted)
    for count in (1, 3):
        units = torch.zeros(count, dtype=torch.int64)
        found = own.clipped_sum(torch.arange(count)[:, None], units, bound)
        norm = torch.sqrt(sum(part.square().sum() for part in found.gradients))
        assert float(norm) <= bound


def test_copies_of_a_row_are_one_unit_and_clipped_together(adapted):
    own = gradients(adapted)
    codes, together = torch.tensor([[2], [2], [2]]), torch.zeros(3, dtype=torch.int64)
    found = own.clipped_sum(codes, together, 1e9)
    once = own.clipped_sum(codes[:1], together[:1], 1e9)
    assert float(found.norms[0]) == pytest.approx(3 * float(once.norms[0]), rel=1e-4)


def test_a_unit_adds_the_same_whatever_else_is_in_the_batch(adapted):
    own = gradients(adapted)
    both = own.clipped_sum(torch.tensor([[0], [3]]), torch.tensor([0, 1]), 0.05)
    single = [
        own.clipped_sum(torch.tensor([[n]]), torch.tensor([0]), 0.05).gradients for n in (0, 3)
    ]
    for index, total in enumerate(both.gradients):
        torch.testing.assert_close(total, single[0][index] + single[1][index], rtol=1e-3, atol=1e-6)


def test_rows_without_a_learned_token_add_nothing(adapted):
    own = AdapterUnitGradients(
        adapted,
        lambda number: TokenizedRow(token_ids=[5, 6, 7], is_learned=[False] * 3),
        padding=1,
        longest=64,
    )
    found = own.clipped_sum(torch.arange(2)[:, None], torch.arange(2), 1.0)
    assert float(found.norms.sum()) == 0
    assert all(float(part.abs().sum()) == 0 for part in found.gradients)


def test_an_adapter_with_other_weights_than_matrices_is_refused(tiny_model):
    base = load_pretrained(str(tiny_model), dtype=torch.float32, device=torch.device("cpu"))
    model = get_peft_model(
        base.model, LoraConfig(r=2, target_modules=["q_proj"], bias="all", task_type="CAUSAL_LM")
    )
    model.get_base_model().model.norm.weight.requires_grad_(True)
    with pytest.raises(SettingsError, match="linear layers"):
        gradients(model)
