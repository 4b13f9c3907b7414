"""Gates: what they accept, what breaks them, and by how much."""

from dataclasses import replace

import pytest
from llmsynth_eval import Gates
from llmsynth_eval.headline import Headline
from llmsynth_eval.metric import Measurement
from llmsynth_eval.report import Result

from llmsynth.errors import InputError


def gates(tmp_path, text):
    path = tmp_path / "gates.toml"
    path.write_text(text, encoding="utf-8")
    return Gates.read(path)


def test_limits_that_hold_break_nothing(tmp_path, report):
    kept = gates(tmp_path, "[figures.ks]\nminimum = 0.0\nmaximum = 1.0\nabove_floor = 0.5\n")
    assert kept.broken_by(report) == []


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("maximum = 0.4", "copied: copies is 0.5, 0.1 above its maximum of 0.4."),
        ("minimum = 0.75", "copied: copies is 0.5, 0.25 below its minimum of 0.75."),
        ("above_floor = 0.1", "copied: copies less its floor is 0.5, 0.4 above its maximum of 0.1"),
    ],
)
def test_a_broken_limit_is_told_with_its_distance(tmp_path, report, limit, words):
    broken = gates(tmp_path, f"[figures.copies]\n{limit}\n").broken_by(report)
    assert any(line.startswith(words) for line in broken)


def test_a_figure_may_not_lie_too_far_below_its_floor(tmp_path, report):
    found = gates(tmp_path, "[figures.category_coverage]\nbelow_floor = -0.9\n").broken_by(report)
    assert len(found) == 2
    assert "less its floor" in found[0]


def test_what_was_not_measured_breaks_its_gate(tmp_path, report):
    text = '[figures.nothing]\nmaximum = 1\n[headlines]\nquiet = ["nobody"]\n'
    words = {line.split(": ", 1)[1] for line in gates(tmp_path, text).broken_by(report)}
    assert words == {"nothing was not measured.", "the headline nobody was not measured."}


def alarming(report, answer):
    headline = Headline(
        name="planted", topic="privacy", question="Is it so?", answer=answer, words="It is so."
    )
    result = Result(
        metric="copies", topic="privacy", measurement=Measurement(headlines=(headline,))
    )
    first = report.evaluation("fresh")
    return replace(report, evaluations=(replace(first, results=(*first.results, result)),))


@pytest.mark.parametrize("text", ['quiet = ["planted"]', "all_quiet = true"])
def test_a_headline_that_must_be_quiet_may_not_alarm(tmp_path, report, text):
    gate = gates(tmp_path, f"[headlines]\n{text}\n")
    told = gate.broken_by(alarming(report, "alarm"))
    assert "fresh: the headline planted alarms: It is so." in told
    assert not any("planted" in line for line in gate.broken_by(alarming(report, "good")))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[figures", "Cannot read"),
        ("", "neither a figure nor a headline"),
        ("[figures.ks]\n", "needs a limit"),
        ("[figures.ks]\nmaximum = 'low'\n", "not right"),
        ("[figures.ks]\nmax = 1\n", "max"),
        ("[headlines]\nsilent = ['copies']\n", "silent"),
        ("[figure.ks]\nmaximum = 1\n", "unknown names: figure"),
    ],
)
def test_gates_that_are_not_right_are_refused(tmp_path, text, words):
    with pytest.raises(InputError, match=words):
        gates(tmp_path, text)


def test_gates_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(InputError, match="Cannot read the gates"):
        Gates.read(tmp_path / "none.toml")
