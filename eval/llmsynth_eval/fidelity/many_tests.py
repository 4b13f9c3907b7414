"""Many comparisons, one answer: the smallest p-value, corrected, among differences that matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llmsynth_eval.headline import Answer, Headline
from llmsynth_eval.text_table import p_text

LEVEL = 0.01


@dataclass(frozen=True, kw_only=True)
class Comparisons:
    """What is compared, for the words of a headline."""

    name: str
    question: str
    subject: str
    """What one comparison is about, e.g. `column`."""
    subjects: str
    """Several of them, e.g. `columns`."""
    unit: str
    """What the effect is, e.g. `KS or TV distance`."""
    if_none: str | None = None
    """The good answer where there is nothing to compare; without it, nothing was measured."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One comparison: how certain a difference is, and how large."""

    about: str
    p_value: float
    effect: float
    margin: float


def answered(
    tests: Sequence[Difference], comparisons: Comparisons, *, num_tests: int | None = None
) -> Headline:
    """The headline: an alarm where a difference beyond its margin is certain at `LEVEL`.

    The p-value is Bonferroni's: the smallest, times the number of comparisons, so that fresh
    real rows raise an alarm in at most one judgement of a hundred.

    Args:
        num_tests: comparisons that could have been significant, where fewer than all could.
    """
    if not tests:
        none = f"There is no {comparisons.subject} to test."
        answer: Answer = "good" if comparisons.if_none else "not measured"
        return _headline(comparisons, answer, comparisons.if_none or none)
    count = len(tests) if num_tests is None else max(1, num_tests)
    beyond = [test for test in tests if test.effect > test.margin]
    worst = min(beyond or tests, key=lambda test: (test.p_value, -test.effect, test.about))
    p_value = min(1.0, count * worst.p_value)
    certain = [test for test in beyond if count * test.p_value <= LEVEL]
    noun = comparisons.subject if len(tests) == 1 else comparisons.subjects
    figures = f"{worst.about} ({comparisons.unit} {worst.effect:.3f}, {p_text(p_value)})"
    if certain:
        words = f"{len(certain):,} of {len(tests):,} {noun} differ from the real table beyond "
        words += f"chance; most clearly {figures}."
    else:
        words = f"{len(tests):,} {noun} tested, none differs from the real table beyond chance by "
        words += f"more than {worst.margin:.3g}; nearest to it {figures}."
    return _headline(
        comparisons,
        "alarm" if certain else "good",
        words,
        p_value=p_value,
        level=LEVEL,
        effect=worst.effect,
        margin=worst.margin,
    )


def alarmed(tests: Sequence[Difference], *, num_tests: int | None = None) -> tuple[Difference, ...]:
    """The comparisons that make `answered` an alarm."""
    count = len(tests) if num_tests is None else max(1, num_tests)
    return tuple(t for t in tests if t.effect > t.margin and count * t.p_value <= LEVEL)


def _headline(comparisons: Comparisons, answer: Answer, words: str, **test: float) -> Headline:
    return Headline(
        name=comparisons.name,
        topic="fidelity",
        question=comparisons.question,
        answer=answer,
        words=words,
        **test,
    )
