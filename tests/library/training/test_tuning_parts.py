"""The parts of fine-tuning: batches of rows, orders of columns, the adapter, settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from llmsynth.codec.row_tokens import TokenizedRow
from llmsynth.errors import SettingsError, TrainingError
from llmsynth.models.pretrained import Pretrained, load_pretrained
from llmsynth.training.adapter_state import AdapterState
from llmsynth.training.lora import ChosenPlaces, learned_weights, with_adapter
from llmsynth.training.row_batches import bucketed, micro_batches, packed, padded
from llmsynth.training.row_orders import RowOrders
from llmsynth.training.tuning_settings import TuningSettings


def base_of(folder: Path) -> Pretrained:
    return load_pretrained(str(folder), dtype=torch.float32)


def rows_of(lengths: list[int]) -> list[TokenizedRow]:
    return [
        TokenizedRow(
            token_ids=[0, *range(2, 2 + n)], is_learned=[False, *[k % 3 > 0 for k in range(n)]]
        )
        for n in lengths
    ]


def test_packed_rows_have_the_loss_of_padded_ones(tiny_model: Path) -> None:
    model = base_of(tiny_model).model.eval()
    rows = rows_of([5, 12, 3, 9])
    losses = []
    for batch in (padded(rows, 64, 1), packed(rows, 64, torch.float32)):
        logits = model(
            input_ids=batch.input_ids,
            attention_mask=batch.attention_mask,
            position_ids=batch.position_ids,
        ).logits[batch.predicts]
        losses.append(torch.nn.functional.cross_entropy(logits, batch.targets, reduction="sum"))
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-5)


def test_padding_and_prompt_are_no_targets() -> None:
    batch = padded(rows_of([2, 4]), 64, pad_token_id=9)
    assert batch.input_ids.tolist() == [[0, 2, 3, 9, 9], [0, 2, 3, 4, 5]]
    assert batch.attention_mask.tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert batch.targets.tolist() == [3, 3, 4]
    assert batch.predicts.sum().item() == 3


def test_every_row_is_in_one_batch_and_batches_hold_rows_of_about_one_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 500, 203).tolist()
    batches = bucketed(lengths, 8, np.random.default_rng(1))
    assert sorted(row for batch in batches for row in batch) == list(range(203))
    widths = [max(lengths[r] for r in b) * len(b) for b in batches]
    assert sum(widths) < 1.25 * sum(lengths)


def test_parts_never_hold_more_tokens_than_allowed() -> None:
    rows = rows_of([3, 50, 9, 9, 30, 120])
    for is_packed in (True, False):
        parts = micro_batches(rows, 64, packed=is_packed)
        assert sum(map(len, parts)) == len(rows)
        for part in parts:
            sizes = [len(row.token_ids) for row in part]
            total = sum(sizes) if is_packed else max(sizes) * len(sizes)
            assert total <= 64 or len(part) == 1


def test_orders_change_and_context_is_what_another_model_writes() -> None:
    rng = np.random.default_rng(0)
    joint = RowOrders(structured=(0, 1, 2), texts=(3,), is_joint=True)
    drawn = [joint.draw(rng) for _ in range(300)]
    assert len({tuple(order) for order, _ in drawn}) == 12
    assert all(order[context:][0] == 3 or order[:context] == [3] for order, context in drawn)
    alone = RowOrders(structured=(0, 1), texts=(2,), is_joint=False)
    orders = {tuple(alone.draw(rng)[0]) for _ in range(300)}
    assert len(orders) == 6
    assert {alone.draw(rng)[1] for _ in range(20)} == {0}


def test_logits_come_only_where_they_are_used(tiny_model: Path) -> None:
    model = base_of(tiny_model).model.eval()
    chosen = ChosenPlaces(model)
    tokens = torch.arange(12).reshape(2, 6)
    places = torch.zeros(2, 6, dtype=torch.bool)
    places[0, 2] = places[1, 4] = True
    whole = model(input_ids=tokens).logits
    with chosen.only(places):
        some = model(input_ids=tokens).logits
    assert some.shape[:2] == (1, 2)
    assert torch.allclose(some[0], whole[places], atol=1e-6)
    assert model(input_ids=tokens).logits.shape == whole.shape


def test_layers_that_no_model_has_are_refused(tiny_model: Path) -> None:
    with pytest.raises(SettingsError, match="target_modules"):
        with_adapter(base_of(tiny_model).model, TuningSettings(target_modules=("nowhere",)))
    adapted = with_adapter(base_of(tiny_model).model, TuningSettings(target_modules=("q_proj",)))
    assert all("q_proj" in name for name in learned_weights(adapted))


def test_every_linear_layer_but_the_output_is_adapted_by_default(tiny_model: Path) -> None:
    adapted = with_adapter(base_of(tiny_model).model, TuningSettings(rank=2))
    names = {name.split(".lora_")[0].rsplit(".", 1)[-1] for name in learned_weights(adapted)}
    assert names == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def test_a_loss_that_is_no_number_is_reported() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    state = AdapterState({"w": weight}, torch.optim.AdamW([weight]), "x")
    with pytest.raises(TrainingError, match="not a number"):
        state.note(float("nan"), 1.0, 0.0)


@pytest.mark.parametrize(
    "change",
    [
        {"rank": 0},
        {"learning_rate": 0.0},
        {"max_tokens": 2},
        {"validation_share": 1.0},
        {"max_minutes": 0.0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_settings_out_of_range_are_named(change: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=next(iter(change))):
        TuningSettings(**change)  # type: ignore[arg-type]
