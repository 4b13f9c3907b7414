"""The parts of a run by hand: schedule, average, settings."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from llmsynth.errors import SettingsError
from llmsynth.training.average import WeightAverage
from llmsynth.training.schedule import Schedule
from llmsynth.training.settings import TrainingSettings


def test_the_rate_warms_up_and_falls_as_a_cosine_to_nought() -> None:
    schedule = Schedule(1000)
    assert schedule.factor(0, 0.0) == pytest.approx(1 / 30)
    assert schedule.factor(500, schedule.share_done(500)) == pytest.approx(0.5)
    assert schedule.factor(1000, schedule.share_done(1000)) == pytest.approx(0.0)


def test_whichever_budget_is_used_up_first_counts() -> None:
    assert Schedule(1000, max_seconds=1e-9).share_done(1) == 1.0
    assert Schedule(10, max_seconds=1e9).share_done(5) == pytest.approx(0.5, abs=1e-3)


def test_seconds_of_an_earlier_part_are_spent() -> None:
    assert Schedule(10, 100.0, 60.0).share_done(0) == pytest.approx(0.6, abs=0.05)


def test_the_average_follows_short_at_first() -> None:
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(0.0)
    average = WeightAverage(model, 0.99)
    with torch.no_grad():
        model.weight.fill_(1.0)
    average.update(0)  # decay 1/10
    assert float(average.average[0]) == pytest.approx(0.9)
    average.update(8)  # decay 9/18
    assert float(average.average[0]) == pytest.approx(0.95)


def test_the_average_stands_in_only_for_a_while() -> None:
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(2.0)
    average = WeightAverage(model, 0.99)
    average.average = [torch.full((1, 1), 7.0)]
    with average.applied():
        assert float(model.weight.detach()) == 7.0
    assert float(model.weight.detach()) == 2.0


@pytest.mark.parametrize(
    "changes",
    [
        {"max_epochs": 0},
        {"batch_rows": 0},
        {"learning_rate": -1e-3},
        {"matrix_learning_rate": 0},
        {"patience": 0},
        {"max_minutes": 0},
        {"averaging": 1.5},
        {"validation_share": -0.1},
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=next(iter(changes))):
        TrainingSettings(**changes)  # type: ignore[arg-type]
