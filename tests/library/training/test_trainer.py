"""Training runs: they learn, repeat, stop, and go on where they were interrupted."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from llmsynth.errors import BundleError, TrainingError
from llmsynth.models.compact import CompactModel, CompactShape
from llmsynth.progress import Progress, Step, silent
from llmsynth.training import loop
from llmsynth.training.loop import Trainer, TrainingReport
from llmsynth.training.optimizers import Optimizers
from llmsynth.training.schedule import Schedule, trained
from llmsynth.training.sequences import Shuffler
from llmsynth.training.settings import TrainingSettings

_QUICK = TrainingSettings(max_epochs=6, batch_rows=20, patience=50)


def _planted(rows: int = 400) -> Tensor:
    """Two columns of four categories, the second a copy of the first."""
    first = torch.randint(4, (rows, 1), generator=torch.Generator().manual_seed(5))
    return torch.cat([first, first], 1)


def _trainer(
    settings: TrainingSettings = _QUICK,
    *,
    codes: Tensor | None = None,
    folder: Path | None = None,
    progress: Progress = silent,
    dropout: float = 0.0,
    fingerprint: str = "run",
) -> Trainer:
    torch.manual_seed(0)
    shape = CompactShape(
        hidden_size=32,
        num_layers=2,
        num_heads=2,
        intermediate_size=64,
        place_sizes=(4, 4),
        dropout=dropout,
    )
    columns = torch.arange(2)
    return Trainer(
        model=CompactModel(shape),
        codes=_planted() if codes is None else codes,
        shuffler=Shuffler(
            (4, 4), columns, shape.begin_token, usual_order=columns, none_given_share=0.5
        ),
        weights=torch.ones(2),
        settings=settings,
        folder=folder,
        fingerprint=fingerprint,
        progress=progress,
    )


class _InterruptsAt:
    """Ctrl-C at the given call."""

    def __init__(self, call: int) -> None:
        self._left = call

    def __call__(self, step: Step) -> None:
        self._left -= 1
        if not self._left:
            raise KeyboardInterrupt


def _weights(trainer: Trainer) -> list[Tensor]:
    return [weight.detach().clone() for weight in trainer.model.parameters()]


def _same(left: Trainer, right: Trainer) -> bool:
    return all(torch.equal(a, b) for a, b in zip(_weights(left), _weights(right), strict=True))


def _timeless(report: TrainingReport) -> tuple[object, ...]:
    history = [{k: v for k, v in check.items() if k != "seconds"} for check in report.history]
    return report.steps, report.train_loss, report.held_out_loss, report.stopped, history


def test_a_planted_dependency_is_learned() -> None:
    report = _trainer(replace(_QUICK, max_epochs=15)).run()
    joint, apart = math.log(4), 2 * math.log(4)
    assert report.held_out_loss < joint + 0.15 * (apart - joint)
    assert report.stopped == "schedule"


def test_one_seed_gives_one_model_to_the_bit() -> None:
    first, second = _trainer(), _trainer()
    assert _timeless(first.run()) == _timeless(second.run())
    assert _same(first, second)


def test_another_seed_gives_another_model() -> None:
    first, second = _trainer(), _trainer(replace(_QUICK, seed=1))
    first.run()
    second.run()
    assert not _same(first, second)


@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("calls", [1, 3, 5])
def test_a_resumed_run_ends_as_an_uninterrupted_one(
    tmp_path: Path, calls: int, dropout: float
) -> None:
    whole = _trainer(dropout=dropout)
    expected = whole.run()
    stopped = _trainer(folder=tmp_path, progress=_InterruptsAt(calls), dropout=dropout).run()
    assert stopped.stopped == "interrupted"
    assert stopped.steps == 20 * (calls - 1) + 1
    torch.randn(7)  # somebody else uses the global generator meanwhile
    resumed = _trainer(folder=tmp_path, dropout=dropout)
    assert _timeless(resumed.run()) == _timeless(expected)
    assert _same(resumed, whole)
    assert not list(tmp_path.iterdir())


def test_a_run_interrupted_amid_an_update_goes_on_from_the_last_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _trainer()
    expected = whole.run()
    step = Optimizers.step
    calls = 0

    def torn(self: Optimizers, factor: float) -> None:
        nonlocal calls
        calls += 1
        if calls == 50:
            self._all[0].step()
            raise KeyboardInterrupt
        step(self, factor)

    with monkeypatch.context() as patched:
        patched.setattr(Optimizers, "step", torn)
        assert _trainer(folder=tmp_path).run().stopped == "interrupted"
    resumed = _trainer(folder=tmp_path)
    assert _timeless(resumed.run()) == _timeless(expected)
    assert _same(resumed, whole)


def test_a_run_interrupted_amid_a_check_makes_the_check_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _trainer()
    expected = whole.run()
    real = loop.place_losses
    checks = 0

    def interrupted(model: CompactModel, *args: object, **kwargs: object) -> list[Tensor]:
        nonlocal checks
        checks += not model.training
        if checks == 4 and not model.training:
            raise KeyboardInterrupt
        return real(model, *args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(loop, "place_losses", interrupted)
        assert _trainer(folder=tmp_path).run().stopped == "interrupted"
    resumed = _trainer(folder=tmp_path)
    assert _timeless(resumed.run()) == _timeless(expected)
    assert _same(resumed, whole)


def test_an_interrupted_run_keeps_what_it_learned() -> None:
    settings = replace(_QUICK, max_epochs=30)
    report = _trainer(settings, progress=_InterruptsAt(15)).run()
    assert report.stopped == "interrupted"
    assert report.held_out_loss < 1.9


def test_a_checkpoint_of_another_run_is_not_taken_up(tmp_path: Path) -> None:
    _trainer(folder=tmp_path, progress=_InterruptsAt(3)).run()
    whole, other = _trainer(), _trainer(folder=tmp_path, fingerprint="another")
    assert _timeless(whole.run()) == _timeless(other.run())


def test_a_broken_checkpoint_is_said_to_be_broken(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(b"not a checkpoint")
    with pytest.raises(BundleError, match=r"cannot be read.*Delete it"):
        _trainer(folder=tmp_path).run()


def test_a_finished_run_leaves_no_checkpoint(tmp_path: Path) -> None:
    _trainer(folder=tmp_path).run()
    assert not list(tmp_path.iterdir())


def test_training_stops_early_where_there_is_nothing_to_learn() -> None:
    noise = torch.randint(4, (60, 2), generator=torch.Generator().manual_seed(0))
    settings = TrainingSettings(max_epochs=150, batch_rows=10, patience=2, validation_share=0.3)
    report = _trainer(settings, codes=noise).run()
    assert report.stopped == "early"
    assert report.epochs < 150
    assert report.held_out_loss == pytest.approx(
        min(check["held_out"] for check in report.history), abs=1e-3
    )


def test_the_kept_weights_are_those_of_the_best_check() -> None:
    noise = torch.randint(4, (60, 2), generator=torch.Generator().manual_seed(0))
    settings = TrainingSettings(max_epochs=100, batch_rows=10, patience=50, validation_share=0.3)
    trainer = _trainer(settings, codes=noise)
    report = trainer.run()
    losses = [check["held_out"] for check in report.history]
    assert min(losses) < losses[-1] - 0.05
    trainer._check()
    assert trainer._position.history[-1]["held_out"] != min(losses)
    trainer._average.average = _weights(trainer)
    trainer._check()
    assert trainer._position.history[-1]["held_out"] == pytest.approx(min(losses), abs=1e-3)


def test_a_time_budget_ends_the_run() -> None:
    report = _trainer(replace(_QUICK, max_epochs=1e6, patience=10**6, max_minutes=0.02)).run()
    assert report.stopped == "schedule"
    assert 1 <= report.steps < 1e6
    assert report.seconds < 60


def test_a_run_that_its_time_limit_cuts_off_is_warm_soon_and_says_that_it_learned_too_little() -> (
    None
):
    trainer = _trainer(replace(_QUICK, max_epochs=1e6, max_minutes=1e-6))
    report = trainer.run()
    assert report.steps < 50
    assert report.stopped == "schedule"
    assert report.trained == "too_little"
    assert math.isfinite(report.start_loss)


def test_checks_without_progress_end_no_run_that_is_not_warm_or_never_learned() -> None:
    noise = torch.randint(4, (400, 2), generator=torch.Generator().manual_seed(0))
    trainer = _trainer(replace(_QUICK, max_minutes=100.0, patience=1), codes=noise)
    trainer._prepare()
    trainer._begin_checks()
    position = trainer._position
    position.stale_checks, position.best_loss = 5, position.start_loss - 0.5
    assert not trainer._may_stop(1, 0.01)
    assert trainer._may_stop(30, 0.3)
    position.best_loss = position.start_loss + 0.1
    assert not trainer._may_stop(30, 0.3)
    trainer.settings = replace(trainer.settings, max_minutes=None)
    assert trainer._may_stop(30, 0.3)


def test_a_whole_run_has_learned_enough_however_short_and_starts_at_a_known_loss() -> None:
    report = _trainer(replace(_QUICK, max_epochs=1)).run()
    assert report.trained == "enough"
    assert report.held_out_loss < report.start_loss


@pytest.mark.parametrize(
    ("steps", "epochs", "best", "is_cut", "expected"),
    [
        (49, 9.0, 1.0, True, "too_little"),
        (50, 0.9, 9.9, True, "too_little"),
        (50, 0.9, 9.7, True, "enough"),
        (50, 1.0, 9.9, True, "enough"),
        (50, 0.5, math.nan, True, "too_little"),
        (3, 0.1, 10.0, False, "enough"),
    ],
)
def test_too_little_is_few_steps_or_part_of_a_pass_that_changed_nothing(
    steps: int, epochs: float, best: float, is_cut: bool, expected: str
) -> None:
    assert trained(steps, epochs, is_cut=is_cut, start=10.0, best=best) == expected


def test_warm_up_shrinks_to_a_fifth_of_the_steps_a_budget_has_room_for() -> None:
    timed = Schedule(10**6, 100.0)
    assert timed.warm_up_at(0, 0.0) == 30
    assert timed.warm_up_at(2, 0.1) == pytest.approx(4)  # room for 20 steps
    assert timed.warm_up_at(2, 1.0) == 1
    assert timed.warm_up_at(100, 0.1) == 30
    assert Schedule(40).warm_up_at(2, 0.05) == 30
    assert timed.factor(4, 0.25) == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))


def test_the_time_of_an_interrupted_run_counts(tmp_path: Path) -> None:
    long = replace(_QUICK, max_epochs=1e6, patience=10**6, max_minutes=10.0)
    first = _trainer(long, folder=tmp_path, progress=_InterruptsAt(4)).run()
    spent = replace(long, max_minutes=first.seconds / 60 / 4)
    second = _trainer(spent, folder=tmp_path).run()
    assert second.steps == first.steps
    assert second.seconds >= first.seconds / 2


def test_a_loss_that_is_no_number_is_an_error() -> None:
    trainer = _trainer()
    with torch.no_grad():
        trainer.model.head[0, 0] = torch.nan
    with pytest.raises(TrainingError, match="not a number"):
        trainer.run()


@pytest.mark.parametrize("share", [0.0, 0.05])
def test_a_run_that_diverges_after_its_last_report_is_an_error(share: float) -> None:
    settings = TrainingSettings(
        max_epochs=0.5, batch_rows=20, learning_rate=1e38, validation_share=share
    )
    with pytest.raises(TrainingError, match="not a number"):
        _trainer(settings).run()


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_a_few_rows_are_learned_without_holding_any_out(rows: int) -> None:
    report = _trainer(codes=_planted(rows)).run()
    assert math.isnan(report.held_out_loss)
    assert report.stopped == "schedule"


def test_progress_says_share_loss_and_time_left() -> None:
    steps: list[Step] = []
    _trainer(progress=steps.append).run()
    shares = [step.done / step.total for step in steps]
    assert shares == sorted(shares)
    assert all(0 <= share <= 1 for share in shares)
    assert all(step.stage == "train" and step.loss is not None for step in steps)


def test_a_place_of_weight_nought_is_not_learned() -> None:
    trainer = _trainer()
    trainer.weights = torch.tensor([1.0, 0.0])
    trainer.run()
    assert float(trainer.model.head[4:].detach().abs().max()) == 0.0


def test_a_trained_model_is_left_in_evaluation() -> None:
    trainer = _trainer(dropout=0.3)
    trainer.run()
    assert not trainer.model.training
