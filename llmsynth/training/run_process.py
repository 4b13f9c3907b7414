"""One process of a training that several do together, whichever model the run folder holds."""

from __future__ import annotations

from pathlib import Path

import torch

from llmsynth.progress import Progress, silent
from llmsynth.training.compact_run import FACTS, read_compact_run
from llmsynth.training.loop import TrainingReport
from llmsynth.training.report_file import NAME, write_report
from llmsynth.training.run_folder import read_run
from llmsynth.training.team import Together
from llmsynth.training.tuning import tune


def train_folder(folder: Path, progress: Progress) -> TrainingReport:
    """Train the run in a folder with whichever processes were started beside this one.

    Raises:
        TrainingError: the folder holds no run, or the training failed.
    """
    if (folder / FACTS).exists():
        return _train_compact(folder, progress)
    return tune(read_run(folder), progress=progress)[1]


def _train_compact(folder: Path, progress: Progress) -> TrainingReport:
    run = read_compact_run(folder)
    torch.manual_seed(run.settings.seed)
    torch.set_flush_denormal(True)
    team = Together()
    is_first = team.rank == 0
    report = run.trainer(folder, progress=progress if is_first else silent, team=team).run()
    if is_first:
        run.save_trained(folder)
        write_report(report, folder / NAME)
    team.end()
    return report
