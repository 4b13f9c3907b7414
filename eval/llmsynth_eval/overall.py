"""What a report says first: which questions raised an alarm, in words, without a score."""

from __future__ import annotations

from collections.abc import Sequence

from llmsynth_eval.headline import Headline, Topic
from llmsynth_eval.report import Evaluation

TOPICS: dict[Topic, str] = {
    "fidelity": "Does it look like the original?",
    "utility": "Does it serve the same purpose?",
    "privacy": "Does it give anyone away?",
    "text": "Do its texts read like the original's, without repeating them?",
}
NO_GUARANTEE = (
    "An alarm is strong evidence of a fault; no alarm means that none was found, which is no "
    "guarantee of privacy."
)


def overall_words(evaluation: Evaluation) -> str:
    """One or two sentences on every headline of one synthetic table."""
    tested = [h for h in evaluation.headlines if h.answer != "not measured"]
    if not tested:
        return "No question could be answered."
    alarms = evaluation.alarms
    if not alarms:
        return f"None of {_questions(len(tested))} raises an alarm."
    raises = "raises an alarm" if len(alarms) == 1 else "raise an alarm"
    asked = " ".join(headline.question for headline in alarms)
    return f"{len(alarms)} of {_questions(len(tested))} {raises}: {asked}"


def topic_words(headlines: Sequence[Headline]) -> str:
    """A few words on the headlines of one topic."""
    alarms = sum(headline.answer == "alarm" for headline in headlines)
    tested = sum(headline.answer != "not measured" for headline in headlines)
    if alarms:
        return f"{alarms} alarm{'s' if alarms > 1 else ''} of {_questions(tested)}"
    return f"no alarm ({_questions(tested)})" if tested else "no question was answered"


def _questions(count: int) -> str:
    return f"{count} question{'' if count == 1 else 's'}"
