"""`accelerate launch -m llmsynth.training RUN`: one process of a training, run by its folder."""

from __future__ import annotations

import sys
from pathlib import Path

from llmsynth.errors import LlmsynthError
from llmsynth.progress import Step
from llmsynth.training.launching import told
from llmsynth.training.run_process import train_folder


def main() -> int:
    """Train the run in the folder given; weights and report are written into it."""
    if len(sys.argv) != 2:
        print("usage: accelerate launch -m llmsynth.training RUN_FOLDER", file=sys.stderr)
        return 2
    try:
        report = train_folder(Path(sys.argv[1]), _print)
    except LlmsynthError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{report.steps} steps, held-out loss {report.held_out_loss:.3f} nats a row", flush=True)
    return 0


def _print(step: Step) -> None:
    print(told(step), flush=True)


if __name__ == "__main__":
    sys.exit(main())
