"""What the demo writes, and how the judges, a package this one must not import, are run on it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from llmsynth.errors import LlmsynthError


@dataclass(frozen=True)
class DemoFiles:
    """Where in the demo's folder each thing lies."""

    folder: Path

    @property
    def train(self) -> Path:
        return self.folder / "train.csv"

    @property
    def holdout(self) -> Path:
        return self.folder / "holdout.csv"

    @property
    def schema(self) -> Path:
        """The schema of the real train table, so that judged kinds are the data's own."""
        return self.folder / "schema.json"

    @property
    def synthesizer(self) -> Path:
        return self.folder / "synthesizer"

    @property
    def synthetic(self) -> Path:
        return self.folder / "synthetic.csv"

    @property
    def page(self) -> Path:
        return self.folder / "report.html"

    @property
    def judgement(self) -> Path:
        return self.folder / "report.json"


def judged(files: DemoFiles, target: str, *, title: str) -> str:
    """Run `python -m llmsynth_eval judge` on the files: writes the page and JSON.

    Returns:
        The judgement as text.

    Raises:
        LlmsynthError: the judges failed; with their last line.
    """
    with Console(stderr=True).status("judging") as _:
        run = subprocess.run(
            _command(files, target, title), capture_output=True, text=True, encoding="utf-8"
        )
    if run.returncode != 0:
        lines = run.stderr.strip().splitlines() or ["no reason given"]
        raise LlmsynthError(f"The judges failed: {lines[-1].removeprefix('error: ')}")
    return run.stdout


def _command(files: DemoFiles, target: str, title: str) -> list[str]:
    options = {
        "train": files.train,
        "synthetic": files.synthetic,
        "holdout": files.holdout,
        "schema": files.schema,
        "target": target,
        "title": title,
        "out": files.page,
        "json": files.judgement,
    }
    given = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    return [sys.executable, "-m", "llmsynth_eval", "judge", *given]
