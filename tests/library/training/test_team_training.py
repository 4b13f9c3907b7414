"""Processes that train one compact model together learn what one process does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from llmsynth.errors import TrainingError
from llmsynth.models.compact import CompactShape
from llmsynth.models.curves import CurvedModel, own_parts, rank_waves
from llmsynth.progress import Step
from llmsynth.training.compact_run import CompactRun, read_compact_run
from llmsynth.training.launching import launch
from llmsynth.training.loop import TrainingReport
from llmsynth.training.report_file import NAME, read_report
from llmsynth.training.settings import TrainingSettings

SIZES = (4, 12)
QUICK = TrainingSettings(max_epochs=2, batch_rows=24, patience=50)


def _codes(rows: int = 480) -> Tensor:
    """A category, and a number that goes with it; some numbers are missing."""
    generator = torch.Generator().manual_seed(5)
    first = torch.randint(4, (rows,), generator=generator)
    second = first * 3 + torch.randint(3, (rows,), generator=generator)
    second[torch.rand(rows, generator=generator) < 0.1] = -1
    return torch.stack([first, second], 1)


def _run(settings: TrainingSettings = QUICK) -> CompactRun:
    torch.manual_seed(0)
    codes = _codes()
    counts = np.bincount(codes[:, 1][codes[:, 1] >= 0].numpy(), minlength=12).astype(np.float64)
    waves = {1: rank_waves(np.arange(12.0), counts)}
    shape = CompactShape(
        hidden_size=32, num_layers=2, num_heads=2, intermediate_size=64, place_sizes=SIZES
    )
    return CompactRun(
        model=CurvedModel(shape, waves, {1: own_parts(counts)}),
        waves=waves,
        codes=codes,
        place_columns=torch.arange(2),
        usual_order=(0, 1),
        none_given_share=0.5,
        num_context=0,
        given_power=1.5,
        weights=torch.ones(2),
        context=frozenset(),
        settings=settings,
        fingerprint="run",
        dtype=torch.float32,
    )


def _losses(report: TrainingReport, name: str = "held_out") -> list[float]:
    return [check[name] for check in report.history]


class _Table:
    """Two threads around a table: a team without any process."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._barrier = threading.Barrier(size, timeout=60)
        self._held: dict[int, Tensor] = {}

    def seat(self, rank: int) -> _Seat:
        return _Seat(self, rank)

    def gathered(self, rank: int, own: Tensor, merge: Callable[[Tensor], Tensor]) -> Tensor:
        self._held[rank] = own
        self._barrier.wait()
        out = merge(torch.stack([self._held[r] for r in range(self.size)]))
        self._barrier.wait()
        return out


class _Seat:
    def __init__(self, table: _Table, rank: int) -> None:
        self._table, self.rank, self.size = table, rank, table.size

    def add(self, numbers: Tensor) -> Tensor:
        return self._table.gathered(self.rank, numbers, lambda all_: all_.sum(0))

    def largest(self, number: float) -> float:
        own = torch.tensor(number, dtype=torch.float64)
        return float(self._table.gathered(self.rank, own, lambda all_: all_.max()))


def _together(size: int, folders: list[Path | None]) -> list[TrainingReport | Exception]:
    table, found = _Table(size), dict[int, TrainingReport | Exception]()

    def work(rank: int) -> None:
        run = runs[rank]
        try:
            found[rank] = run.trainer(folders[rank], team=table.seat(rank)).run()
        except TrainingError as error:
            found[rank] = error

    runs = [_run() for _ in range(size)]
    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for run in runs[1:]:
        for own, other in zip(run.model.parameters(), runs[0].model.parameters(), strict=True):
            assert torch.equal(own, other)
    return [found[rank] for rank in range(size)]


def test_a_shared_batch_gives_the_gradient_of_the_whole() -> None:
    alone = _run().trainer(None).run()
    for size in (2, 3):
        reports = _together(size, [None] * size)
        for report in reports:
            assert isinstance(report, TrainingReport)
            assert report.steps == alone.steps
            assert _losses(report) == pytest.approx(_losses(alone), abs=2e-3)
            assert report.train_loss == pytest.approx(alone.train_loss, abs=2e-3)


def test_processes_that_see_different_checkpoints_stop(tmp_path: Path) -> None:
    trainer = _run().trainer(tmp_path)
    trainer._prepare()
    trainer._position.step = 7
    trainer._save()
    found = _together(2, [tmp_path, None])
    assert all(isinstance(one, TrainingError) and "one checkpoint" in str(one) for one in found)


def test_a_run_comes_back_from_its_folder(tmp_path: Path) -> None:
    run = _run()
    run.write(tmp_path)
    again = read_compact_run(tmp_path)
    assert again.settings == run.settings
    assert torch.equal(again.codes, run.codes)
    assert _losses(again.trainer(None).run()) == _losses(run.trainer(None).run())
    with pytest.raises(TrainingError, match="is no training run"):
        read_compact_run(tmp_path / "gone")
    with pytest.raises(TrainingError, match="no trained model"):
        run.load_trained(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_processes_give_the_loss_curve_of_one(tmp_path: Path) -> None:
    alone = _run().trainer(None).run()
    run = _run()
    run.write(tmp_path)
    steps: list[Step] = []
    launch(tmp_path, 2, False, steps.append)
    together = read_report(tmp_path / NAME)
    assert (together.processes, together.steps) == (2, alone.steps)
    assert steps
    assert _losses(together) == pytest.approx(_losses(alone), abs=2e-3)
    assert _losses(together, "train") == pytest.approx(_losses(alone, "train"), abs=5e-3)
    run.load_trained(tmp_path)


@pytest.mark.slow
def test_a_process_that_finds_no_run_tells_why(tmp_path: Path) -> None:
    _run().write(tmp_path)
    (tmp_path / "start.safetensors").unlink()
    with pytest.raises(TrainingError, match="is no training run"):
        launch(tmp_path, 2, False, lambda step: None)
