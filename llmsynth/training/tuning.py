"""Runs a fine-tuning: loads the base model, trains, writes adapter and report."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import torch
from accelerate import Accelerator
from peft import PeftModel

from llmsynth.errors import TrainingError
from llmsynth.models.precision import fastest_dtype
from llmsynth.models.pretrained import Pretrained, load_pretrained
from llmsynth.progress import Progress, Step, silent
from llmsynth.training.fine_tuning import FineTuner
from llmsynth.training.loop import TrainingReport
from llmsynth.training.lora import save_adapter
from llmsynth.training.run_folder import TuningRun, read_run

_TAIL = 60


def tune(
    run: TuningRun, *, base: Pretrained | None = None, progress: Progress = silent
) -> tuple[PeftModel, TrainingReport]:
    """Fine-tune in this process, which may be one of several that `accelerate launch` started.

    Args:
        base: the base model where it is loaded already; it gets the adapter.

    Returns:
        The model under its best adapter, and the report.
    """
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), mixed_precision=_mixed_precision())
    device = accelerator.device
    if base is None:
        four_bit = run.settings.four_bit
        base = load_pretrained(
            run.base, dtype=fastest_dtype(device), device=device, four_bit=four_bit
        )
    tuner = FineTuner(
        run,
        base,
        accelerator=accelerator,
        progress=progress if accelerator.is_main_process else silent,
    )
    report = tuner.run()
    if accelerator.is_main_process:
        save_adapter(tuner.model, run.adapter, run.name)
        _write(report, run.report)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return tuner.model, report


def tune_in_processes(
    run: TuningRun, processes: int, progress: Progress = silent
) -> TrainingReport:
    """Fine-tune in several processes of `accelerate launch`, and return when all have ended.

    Raises:
        TrainingError: one of them failed; the message ends with its last lines.
    """
    command = [sys.executable, "-m", "accelerate.commands.launch"]
    command += ["--num_processes", str(processes), "--num_machines", "1"]
    command += ["--mixed_precision", _mixed_precision(), "--dynamo_backend", "no"]
    command += ["--multi_gpu"] if torch.cuda.is_available() else ["--cpu"]
    command += ["-m", "llmsynth.training", str(run.folder)]
    last: list[str] = []
    threads = os.environ.get("OMP_NUM_THREADS") or str(max((os.cpu_count() or 1) // processes, 1))
    environment = {**os.environ, "OMP_NUM_THREADS": threads}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            step = _step(line)
            if step is not None:
                progress(step)
            elif line.strip():
                last = [*last, line.rstrip()][-_TAIL:]
    if process.returncode:
        named = [line for line in last if line.startswith("error: ")]
        told = "\n".join(named[:1] or last)
        raise TrainingError(f"Fine-tuning in {processes} processes failed: {told}")
    return read_report(run)


def read_report(run: TuningRun) -> TrainingReport:
    """The report that a run left in its folder.

    Raises:
        TrainingError: it has not been trained to its end.
    """
    try:
        facts = json.loads(run.report.read_text(encoding="utf-8"))
        held_out = facts["held_out_loss"]
        return TrainingReport(**{**facts, "held_out_loss": held_out or float("nan")})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{run.folder} holds no finished fine-tuning: {error}.",
            hint="Run `accelerate launch -m llmsynth.training` on it first.",
        ) from error


def told(step: Step) -> str:
    """A report of progress as a line that `tune_in_processes` understands."""
    return json.dumps({"progress": asdict(step)})


def train_folder(folder: Path, progress: Progress) -> TrainingReport:
    """Fine-tune the run in a folder; what `python -m llmsynth.training` does."""
    return tune(read_run(folder), progress=progress)[1]


def _step(line: str) -> Step | None:
    if not line.startswith('{"progress"'):
        return None
    return Step(**json.loads(line)["progress"])


def _write(report: TrainingReport, path: Path) -> None:
    facts = asdict(report)
    for name in ("held_out_loss", "train_loss"):
        facts[name] = facts[name] if math.isfinite(facts[name]) else None
    path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def _mixed_precision() -> str:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return "bf16" if fastest_dtype(device) is torch.bfloat16 else "no"
