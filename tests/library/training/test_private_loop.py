from dataclasses import replace

import numpy as np
import pytest
import torch

from llmsynth.errors import SettingsError
from llmsynth.privacy.noise_source import NoiseSource
from llmsynth.privacy.unit_sampler import Units, every_row
from llmsynth.training.private_gradients import ClippedSum
from llmsynth.training.private_loop import (
    PrivateTrainer,
    PrivateTrainingSettings,
    sampling_rate,
)


class OneWeight:
    """Pulls a single weight by each unit's rows, and writes down what it was asked."""

    def __init__(self) -> None:
        self.weight = torch.zeros(1)
        self.calls: list[tuple[list[int], list[int]]] = []

    @property
    def parameters(self) -> list[torch.Tensor]:
        return [self.weight]

    def clipped_sum(self, codes, units, bound) -> ClippedSum:
        self.calls.append((codes[:, 0].tolist(), units.tolist()))
        count = int(units[-1]) + 1
        return ClippedSum([torch.full((1,), float(count) * bound)], torch.ones(count))


def settings(**changes) -> PrivateTrainingSettings:
    given = {"steps": 5, "expected_units": 10.0, "noise_multiplier": 0.0, "rows_at_once": 4}
    return PrivateTrainingSettings(**{**given, **changes})


def trainer(model: OneWeight, units: Units, *, keeper=None, **changes) -> PrivateTrainer:
    codes = torch.arange(len(units.rows))[:, None]
    return PrivateTrainer(
        model,
        codes,
        units,
        sampling_rate=0.5,
        settings=settings(**changes),
        source=NoiseSource(insecure_seed=2),
        keeper=keeper,
    )


def test_it_takes_just_the_steps_that_are_accounted():
    run = trainer(OneWeight(), every_row(20), steps=7)
    assert run.run() == 7


def test_rows_of_a_unit_are_clipped_in_one_call_however_batches_are_cut():
    unit_of = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 3, 4])
    model = OneWeight()
    trainer(model, Units(np.arange(14), unit_of, 5, 4), steps=40, rows_at_once=2).run()
    met = 0
    for codes, units in model.calls:
        owners = unit_of[codes]
        for owner in set(owners.tolist()):
            # All four rows of a drawn unit are there, numbered as one.
            assert (owners == owner).sum() == (unit_of == owner).sum()
            assert len({units[i] for i in np.flatnonzero(owners == owner)}) == 1
            met += 1
        assert units == sorted(units)
    assert met > 50


def test_the_noise_on_a_step_is_the_multiplier_times_the_bound(monkeypatch):
    run = trainer(OneWeight(), every_row(4), noise_multiplier=3.0, clipping_norm=0.5)
    monkeypatch.setattr(run._sampler, "sample", lambda: np.zeros(0, dtype=np.int64))
    drawn = np.array([float(run._noisy_sums()[0]) for _ in range(4000)])
    assert drawn.std() == pytest.approx(1.5, rel=0.05)
    assert abs(drawn.mean()) < 0.1


def test_an_empty_batch_is_a_step_like_any_other(monkeypatch):
    model = OneWeight()
    run = trainer(model, every_row(4), noise_multiplier=1.0)
    monkeypatch.setattr(run._sampler, "sample", lambda: np.zeros(0, dtype=np.int64))
    assert run.run() == 5
    assert not model.calls


def test_ctrl_c_counts_the_step_that_has_seen_data(monkeypatch):
    model = OneWeight()
    run = trainer(model, every_row(20), steps=9)
    original = model.clipped_sum

    def interrupted(codes, units, bound):
        if run.steps_done == 3:
            raise KeyboardInterrupt
        return original(codes, units, bound)

    monkeypatch.setattr(model, "clipped_sum", interrupted)
    assert run.run() == 3


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"noise_multiplier": -1.0}, {"averaging": 1.0}, {"clipping_norm": 0.0}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(SettingsError):
        settings(**wrong)


def test_the_sampling_rate_is_expected_units_over_units_and_at_most_one_half():
    assert sampling_rate(100, 1000) == 0.1
    assert sampling_rate(900, 1000) == 0.5


class Kept:
    """Keeps positions in memory, as they were."""

    def __init__(self):
        self.begun, self.positions = [], []

    def begin_step(self, step):
        self.begun.append(step)

    def save_step(self, position):
        copies = {name: tensor.clone() for name, tensor in position.tensors.items()}
        self.positions.append(replace(position, tensors=copies))


def test_a_run_goes_on_with_the_weights_it_had_and_leaves_out_the_step_in_doubt():
    kept = Kept()
    whole = OneWeight()
    trainer(whole, every_row(20), keeper=kept, steps=6).run()
    assert kept.begun == list(range(6))
    assert [position.steps for position in kept.positions] == list(range(1, 7))
    later = OneWeight()
    run = trainer(later, every_row(20), steps=6)
    run.restore(kept.positions[2], next_step=4)
    torch.testing.assert_close(later.weight, kept.positions[2].tensors["weight.0"])
    assert run.run() == 6
    # Steps five and six; each is read in parts of four rows.
    rows = sum(len(codes) for codes, _ in later.calls)
    assert 0 < rows <= 2 * 20
    restored = trainer(OneWeight(), every_row(20), steps=6)
    restored.restore(None, next_step=6)
    assert restored.run() == 6
