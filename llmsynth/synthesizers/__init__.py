"""Fit a table, sample rows, save, load."""

from llmsynth.synthesizers.synthesizer import Synthesizer

__all__ = ["Synthesizer"]
