"""What the demo writes, and how it is judged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from llmsynth.judging import run_judges


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
    """Have the judges write the page and JSON.

    Returns:
        The judgement as text.

    Raises:
        LlmsynthError: the judges failed; with their last line.
    """
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
    with Console(stderr=True).status("judging") as _:
        return run_judges("judge", options)
