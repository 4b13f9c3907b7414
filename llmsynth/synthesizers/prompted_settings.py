"""What a user may set about prompting a model for rows, and the account of such a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmsynth.errors import SettingsError
from llmsynth.generation.sample import Sample, SampleReport


@dataclass(frozen=True, kw_only=True)
class PromptSettings:
    """How prompts are made and how often rows are drawn anew."""

    template: str = "rows-1"
    """Name of the prompt template."""
    examples_per_prompt: int = 10
    """Most example rows in one prompt; fewer where they do not fit the model's context."""
    rows_per_prompt: int = 32
    """Rows that one request asks for behind one prompt, which is read once for all of them; the
    next request has its examples chosen and shuffled anew."""
    anchors: int = 1
    """How many columns of each request, besides those with shares, are drawn from the marginals
    that the examples tell; others every time. The model writes the rest behind them."""
    max_attempts: int = 5
    """Draws a row may take until it is whole, new, no copy, and within the constraints."""
    keep_duplicates: bool = False
    """Keep rows that were drawn before."""

    def __post_init__(self) -> None:
        """Raise SettingsError for a value out of range."""
        least = {"examples_per_prompt": 0, "rows_per_prompt": 1, "anchors": 0, "max_attempts": 1}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise SettingsError(f"{name} must be at least {bound}, got {getattr(self, name)}.")


@dataclass
class PromptedReport(SampleReport):
    """Counts of a prompted run; `redrawn` counts every row that was asked for again."""

    drawn: int = 0
    """Rows the model was asked for, in all attempts."""
    prompts: int = 0
    attempts: int = 0
    duplicates: int = 0
    """Rows that were there already."""
    verbatim_copies: int = 0
    """Rows, or texts in them, that repeat an example word for word; none of them is kept."""
    near_copies: int = 0
    """The same, nearly so (`llmsynth.prompting.copy_check` says what that means)."""
    broken: int = 0
    """Rows that broke a declared constraint."""
    unfinished: int = 0
    """Rows that the engine did not end."""
    fewest_examples: int = 0
    """Example rows in the prompt that had fewest."""


@dataclass(frozen=True)
class PromptedSample(Sample):
    """Rows of a prompted model, with the record of how they were asked for."""

    report: PromptedReport
    provenance: Mapping[str, object] = field(default_factory=dict)
    """Template, model, examples and settings, by name and hash; JSON-ready."""
