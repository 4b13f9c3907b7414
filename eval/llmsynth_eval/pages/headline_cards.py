"""Headlines as cards: the answer as a sign and a word, the question, the words, the test."""

from __future__ import annotations

from html import escape

from llmsynth_eval.headline import Headline
from llmsynth_eval.overall import TOPICS, topic_words
from llmsynth_eval.report import Evaluation
from llmsynth_eval.text_table import p_text

# The sign carries the answer as well as the colour does.
ANSWERS = {
    "good": ("good", "●", "no alarm"),
    "alarm": ("alarm", "▲", "alarm"),
    "not measured": ("none", "○", "not measured"),
}


def headline_cards(evaluation: Evaluation) -> str:
    """Every headline, by topic; a topic without headlines is left out."""
    out = []
    for topic, question in TOPICS.items():
        headlines = [h for h in evaluation.headlines if h.topic == topic]
        if headlines:
            cards = "".join(_card(headline) for headline in headlines)
            out.append(
                f'<div class="topic"><h3>{escape(question)} '
                f'<span class="lead">{escape(topic_words(headlines))}</span></h3>'
                f'<ul class="cards">{cards}</ul></div>'
            )
    return "".join(out)


def answer_mark(headline: Headline) -> str:
    """The answer as sign and word."""
    kind, sign, word = ANSWERS[headline.answer]
    return f'<span class="answer {kind}">{sign} {word}</span>'


def _card(headline: Headline) -> str:
    kind = ANSWERS[headline.answer][0]
    return (
        f'<li class="{kind}">{answer_mark(headline)} <b>{escape(headline.question)}</b>'
        f"<p>{escape(headline.words)}</p>{_test(headline)}</li>"
    )


def _test(headline: Headline) -> str:
    if headline.p_value is None:
        return ""
    words = p_text(headline.p_value)
    if headline.level is not None:
        words += f", alarm below {headline.level:.3g}"
    if headline.margin is not None:
        words += f" and beyond {headline.margin:.3g}"
    return f'<p class="test">{escape(words)}</p>'
