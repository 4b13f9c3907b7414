"""Which pattern of times, durations, months, days or moments a column's texts have."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llmsynth.schema.clock_spelling import CLOCKS, DAYS_AND_MOMENTS, ClockSpelling
from llmsynth.schema.number_guesses import FEWEST_NUMBERS, NumberReading, are_few

_SHOWN = 50


def guess_clock(
    texts: Sequence[str], count_cells: Callable[[Sequence[str]], int], num_cells: int
) -> NumberReading | None:
    """Read distinct texts as one of the known patterns, with a few words among them, or None.

    A text is only read where its pattern gives it back as it came. What are a few words is said in
    `guess_numbers`; days and moments without words have kinds of their own and come here no more.
    """
    step = max(len(texts) // _SHOWN, 1)
    for pattern in (*CLOCKS, *DAYS_AND_MOMENTS):
        spelling = ClockSpelling(pattern)
        shown = texts[::step]
        if 2 * sum(spelling.read(text) is not None for text in shown) < len(shown):
            continue
        words = [text for text in texts if not _is_exact(spelling, text)]
        num_read = len(texts) - len(words)
        if num_read > FEWEST_NUMBERS and are_few(words, num_read, count_cells, num_cells):
            ordered = sorted(words, key=lambda word: (-count_cells([word]), word))
            return NumberReading(spelling=spelling, words=tuple(ordered))
    return None


def guess_offsets(
    texts: Sequence[str], pattern: str, offsets: Sequence[str]
) -> ClockSpelling | None:
    """The pattern of moments with one of several offsets behind them; None for other texts."""
    listed = f"%z{{{','.join(offsets)}}}"
    spelling = ClockSpelling(pattern.replace(".%f", "").replace("%z", listed))
    return spelling if all(_is_exact(spelling, text) for text in texts) else None


def _is_exact(spelling: ClockSpelling, text: str) -> bool:
    plain = spelling.read(text)
    return plain is not None and spelling.write(plain) == text
