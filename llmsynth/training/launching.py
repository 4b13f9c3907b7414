"""Starts processes that train a run folder together, and hears from them until they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TypeAlias

import torch

from llmsynth.errors import TrainingError
from llmsynth.models.precision import fastest_dtype
from llmsynth.progress import Progress, Step
from llmsynth.threads import num_threads

_TAIL = 60
_RUN = "tuning"

Launcher: TypeAlias = Callable[[Path, int, bool, Progress], None]
"""Trains the run in a folder by so many processes, on GPUs where asked, and returns when all have
ended; what they made is then in the folder. Raises TrainingError where one of them failed."""


def launch(folder: Path, processes: int, on_gpus: bool, progress: Progress) -> None:
    """Train the run in a folder by processes on this machine.

    Raises:
        TrainingError: one of them failed; the message ends with its last lines.
    """
    command = [*_launcher(processes, on_gpus), "-m", "llmsynth.training", str(folder)]
    last: list[str] = []
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(num_threads() // processes, 1))
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
        told_last = "\n".join(named[:1] or last)
        raise TrainingError(f"Training in {processes} processes failed: {told_last}")


def _launcher(processes: int, on_gpus: bool) -> list[str]:
    """`accelerate launch` for GPUs; on processors, where it starts one process, torchrun."""
    if not on_gpus:
        own = ["--standalone", "--nproc_per_node", str(processes)]
        return [sys.executable, "-m", "torch.distributed.run", *own]
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"]
    command += ["--num_processes", str(processes), "--num_machines", "1"]
    return [*command, "--mixed_precision", mixed_precision(), "--dynamo_backend", "no"]


@contextmanager
def run_place(checkpoints: Path | None) -> Iterator[Path]:
    """Where a run's files and checkpoints stay while a fit can be taken up again."""
    if checkpoints is not None:
        yield checkpoints / _RUN
        return
    with tempfile.TemporaryDirectory(prefix="llmsynth-") as folder:
        yield Path(folder)


def told(step: Step) -> str:
    """A report of progress as a line that `launch` understands."""
    return json.dumps({"progress": asdict(step)})


def mixed_precision() -> str:
    """What accelerate calls the precision that is fastest here."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return "bf16" if fastest_dtype(device) is torch.bfloat16 else "no"


def _step(line: str) -> Step | None:
    if not line.startswith('{"progress"'):
        return None
    return Step(**json.loads(line)["progress"])
