"""The seam between drawing rows and whatever runs the model: one request, a stream of rows.

A request means the same to every engine: the same distribution over rows, and the same rows again
for the same seed on the same engine. It knows nothing of torch, so that a machine that only talks
to a server needs none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakKeyDictionary

from llmsynth.codec.shortest_endings import ShortestEndings
from llmsynth.codec.token_automaton import TokenAutomaton
from llmsynth.engines.adapter import Adapter
from llmsynth.engines.stop_reason import StopReason
from llmsynth.errors import ConditionError, SettingsError


@dataclass(frozen=True, kw_only=True)
class SamplingSettings:
    """How rows are drawn, and when to stop."""

    seed: int
    """Rows depend on it and on their numbers."""
    temperature: float = 1.0
    """Logits are divided by it; 1 draws from the model as it is, 0 takes the likeliest token."""
    top_p: float = 1.0
    """Keep the likeliest allowed tokens that together reach this share."""
    max_new_tokens: int | None = None
    """Most tokens drawn per row; None for as many as the longest row can have."""
    max_seconds: float | None = None
    """Most seconds for all rows together; None for no limit."""
    first_row: int = 0
    """Number of the first row, so that a second call can go on where the first one stopped."""

    def __post_init__(self) -> None:
        """Raise SettingsError for a value out of range."""
        most, seconds = self.max_new_tokens, self.max_seconds
        checks = {
            "temperature": (self.temperature >= 0, "a number of at least 0"),
            "top_p": (0 < self.top_p <= 1, "a number above 0 and at most 1"),
            "max_new_tokens": (most is None or most >= 1, "at least 1, or None"),
            "max_seconds": (seconds is None or seconds > 0, "above 0, or None"),
            "first_row": (self.first_row >= 0, "at least 0"),
        }
        for name, (holds, expected) in checks.items():
            if not holds:
                raise SettingsError(f"{name}: expected {expected}, got {getattr(self, name)}.")


@dataclass(frozen=True, kw_only=True, eq=False)
class RowRequest:
    """Rows wanted: one per prefix, all of one row language and behind one prompt.

    Rows that are given different columns stand in different orders: make a request for each set of
    given columns.
    """

    automaton: TokenAutomaton
    """The whole row, prefix included, over the model's tokens."""
    pattern: str
    """A regular expression of what follows a prefix, the same for all rows: of the whole row where
    no column is given. Engines that do not mask by themselves hand it to the server."""
    prefix_ids: Sequence[Sequence[int]]
    """For each row the tokens it begins with, possibly none; they end where just what `pattern`
    describes may follow: behind a separator, not behind a number that could have more digits."""
    prompt_ids: Sequence[int] = ()
    """Tokens the model reads first and the row language knows nothing of: the beginning-of-text
    token, instructions, examples."""
    settings: SamplingSettings
    adapter: Adapter | None = None
    """None for the base model."""

    def __post_init__(self) -> None:
        """Raise SettingsError without rows or anything to start from.

        ConditionError for a prefix that no row begins with, or behind which something else than
        `pattern` may follow; it names the row.
        """
        if not self.prefix_ids:
            raise SettingsError("Expected at least one prefix, as many as rows are wanted.")
        if not self.prompt_ids and not all(map(len, self.prefix_ids)):
            raise SettingsError(
                "Expected at least one token to start from: neither prompt nor prefix has any.",
                hint="Give the beginning-of-text or end-of-text token as prompt_ids.",
            )
        seen: set[tuple[int, ...]] = set()
        for row, prefix in enumerate(map(tuple, self.prefix_ids)):
            if prefix in seen:
                continue
            seen.add(prefix)
            try:
                state = self.automaton.walk(prefix)
            except ConditionError as error:
                raise ConditionError(f"Prefix of row {row + 1}: {error.message}") from error
            surprise = _surprise(self.automaton, state, self.pattern)
            if surprise is not None:
                raise ConditionError(
                    f"Prefix of row {row + 1}: {surprise!r} may follow "
                    f"{self.automaton.text(prefix)[-40:]!r}, which `pattern` does not describe.",
                    hint="End prefixes at a cell's beginning, behind its name and separator.",
                )


_AGREED: WeakKeyDictionary[TokenAutomaton, dict[tuple[int, str], str | None]] = WeakKeyDictionary()


def _surprise(automaton: TokenAutomaton, state: int, pattern: str) -> str | None:
    """A text that may follow the state and does not match, where the shortest ones show one."""
    known = _AGREED.setdefault(automaton, {})
    if (state, pattern) not in known:
        texts = ShortestEndings(automaton).of(state)
        if automaton.strips_leading_space and state == automaton.start:
            texts = [text.removeprefix(" ") for text in texts]
        row_end = re.compile(pattern)
        known[state, pattern] = next((t for t in texts if not row_end.fullmatch(t)), None)
    return known[state, pattern]


@dataclass(frozen=True, kw_only=True)
class FinishedRow:
    """A row that its engine is done with, whole or not."""

    number: int
    """Counted over the whole run: the request's `first_row` plus the place of its prefix."""
    token_ids: tuple[int, ...]
    """Prefix and drawn tokens, without the end-of-text token."""
    text: str
    """What the tokens spell; of a row that is not whole, the beginning."""
    reason: StopReason
    removed_mass: float | None = None
    """Mean over the steps of the probability that the mask removed; None where it is unknown, as
    on a server that masks by itself."""
    problem: str = ""
    """What went wrong and what to do, where the engine failed."""

    @property
    def is_whole(self) -> bool:
        """Whether the row can be parsed."""
        return self.reason is StopReason.FINISHED


class RowEngine(Protocol):
    """Something that runs a language model and holds it to a row language."""

    @property
    def name(self) -> str:
        """What it is, for reports: "local (cpu)", "vllm 0.32.0 (cuda)"."""

    @property
    def context_length(self) -> int:
        """Most tokens of prompt and row together."""

    def rows(self, request: RowRequest) -> Iterator[FinishedRow]:
        """Every row of the request once, in the order in which they finish.

        What fails while rows are being drawn ends the rows it concerns (`FinishedRow.problem`);
        those that are whole are kept. Closing the iterator gives up what is still being drawn.

        Raises:
            EngineError: the engine cannot be reached or refuses the request.
            SettingsError: prompt and prefix do not fit the model's context.
            SamplingError: the model gave something other than finite numbers.
        """

    def close(self) -> None:
        """Let go of memory, processes and connections; does nothing the second time."""
