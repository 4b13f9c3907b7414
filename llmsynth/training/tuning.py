"""Runs a fine-tuning: loads the base model, trains, writes adapter and report."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from peft import PeftModel

from llmsynth.models.precision import fastest_dtype
from llmsynth.models.pretrained import Pretrained, load_pretrained
from llmsynth.progress import Progress, silent
from llmsynth.training.fine_tuning import FineTuner
from llmsynth.training.launching import Launcher, launch, mixed_precision
from llmsynth.training.loop import TrainingReport
from llmsynth.training.lora import learned_weights, save_adapter
from llmsynth.training.report_file import read_report, write_report
from llmsynth.training.run_folder import TuningRun
from llmsynth.training.weight_shares import sharding_plugin, whole


def tune(
    run: TuningRun, *, base: Pretrained | None = None, progress: Progress = silent
) -> tuple[PeftModel, TrainingReport]:
    """Fine-tune in this process, which may be one of several that `accelerate launch` started.

    Args:
        base: the base model where it is loaded already; it gets the adapter.

    Returns:
        The model under its best adapter, and the report.
    """
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), mixed_precision=mixed_precision())
    device = accelerator.device
    sharding = None
    if accelerator.num_processes > 1:
        sharding = sharding_plugin(run.settings, fastest_dtype(device))
    if base is None:
        base = load_pretrained(
            run.base,
            dtype=fastest_dtype(device),
            device="cpu" if sharding else device,
            four_bit=run.settings.four_bit,
        )
    tuner = FineTuner(
        run,
        base,
        accelerator=accelerator,
        sharding=sharding,
        progress=progress if accelerator.is_main_process else silent,
    )
    report = tuner.run()
    weights = {name: whole(w.detach()) for name, w in learned_weights(tuner.model).items()}
    if accelerator.is_main_process:
        save_adapter(tuner.model, run.adapter, run.name, weights)
        write_report(report, run.report)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return tuner.model, report


def tune_in_processes(
    run: TuningRun, processes: int, progress: Progress = silent, *, launcher: Launcher = launch
) -> TrainingReport:
    """Fine-tune in several processes, and return when all have ended.

    Raises:
        TrainingError: one of them failed.
    """
    launcher(run.folder, processes, torch.cuda.is_available(), progress)
    return read_report(run.report)
