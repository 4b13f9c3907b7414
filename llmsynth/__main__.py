"""`python -m llmsynth` is `llmsynth`."""

from __future__ import annotations

from llmsynth.cli import app

app(prog_name="llmsynth")
