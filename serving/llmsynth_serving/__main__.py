"""`python -m llmsynth_serving` is `llmsynth-serve`."""

from __future__ import annotations

from llmsynth_serving.cli import app

app(prog_name="llmsynth-serve")
