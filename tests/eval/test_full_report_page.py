"""The page of a full report: whole, self-contained, readable without scripts."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from llmsynth_eval import write_report_page
from llmsynth_eval.details import Curve, DetailTable, Line
from llmsynth_eval.headline import Headline
from llmsynth_eval.metric import Measurement
from llmsynth_eval.pages.report_page import report_page
from llmsynth_eval.report import Result

from llmsynth.errors import InputError

VOID = {"meta", "br"}
ALARM = Headline(
    name="near_copies",
    topic="privacy",
    question="Are rows <copied>?",
    answer="alarm",
    words="12 rows & more.",
    p_value=0.00002,
    level=0.01,
)
EXTRAS = Measurement(
    headlines=(ALARM, replace(ALARM, name="copies", answer="good", p_value=0.4)),
    tables=(
        DetailTable(
            name="t",
            title="Rows at risk",
            columns=("row", "distance"),
            rows=((7, 0.5), (9, None), (11, 12345.6)),
            meaning="Lower is nearer.",
        ),
    ),
    curves=(
        Curve(
            name="roc",
            title="ROC",
            x_label="FPR",
            y_label="TPR",
            lines=(
                Line(name="attack <1>", x=(0.0, 0.5, 1.0), y=(0.0, 0.7, 1.0)),
                Line(name="none", x=(), y=()),
            ),
            meaning="The diagonal is chance.",
        ),
    ),
)


@pytest.fixture(scope="module")
def page(report):
    extra = Result(metric="copies", topic="privacy", measurement=EXTRAS)
    first, second = report.evaluations
    fuller = replace(first, results=(*first.results, extra))
    return report_page(replace(report, evaluations=(fuller, second)), title="A < B")


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.targets = [], [], []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids.append(given.get("id"))
        if tag == "a":
            self.targets.append(given["href"].removeprefix("#"))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_asks_for_nothing_outside(page):
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    ids = [name for name in tags.ids if name]
    assert len(set(ids)) == len(ids)
    assert set(tags.targets) <= set(ids)
    outside = re.findall(
        r"<(?:link|img|iframe)|src=|url\(|https?://(?!www\.w3\.org/2000/svg)", page
    )
    assert outside == []
    assert "$" not in re.sub(r"<style>.*?</style>", "", page, flags=re.S)


def test_names_and_words_are_escaped(page):
    assert "<h1>A &lt; B</h1>" in page
    for text in ("&lt;b&gt;town", "Ulm &amp; Co", "rows &lt;copied&gt;", "attack &lt;1&gt;"):
        assert text in page
    assert "<b>town" not in page


def test_the_verdict_comes_first_in_words_and_signs(page):
    words = re.search(r"\d+ alarms? of \d+ questions", page)
    assert words.start() < page.index("Side by side") < page.index('class="cards"')
    assert "▲ alarm" in page
    assert "● no alarm" in page
    assert "p &lt; 0.0001, alarm below 0.01" in page


def test_every_figure_of_every_table_is_shown(page, report):
    for evaluation in report.evaluations:
        for figure in evaluation.figures.values():
            assert f"<td><b>{figure.title}</b><span" in page


def test_every_metric_is_explained(page, report):
    for definition in report.definitions:
        assert f"<summary>{definition.title}</summary>" in page
        assert f"Definition {definition.metric}, version {definition.version}." in page


def test_details_and_curves_are_drawn(page):
    assert '<td class="n" data-v="12345.6">12,346</td>' in page
    drawn = re.search(r"<b>ROC</b></figcaption>(.*?)The diagonal is chance", page, flags=re.S)[1]
    assert drawn.count("<polyline") == 1
    assert page.count("Lower is nearer.") == 1


def test_no_drawing_is_blank(page):
    drawings = re.findall(r"<svg viewBox.*?</svg>", page, flags=re.S)
    assert len(drawings) > 20
    assert all(re.search(r"<(?:rect|path|circle|polyline)", drawing) for drawing in drawings)


def test_a_page_that_cannot_be_written_is_an_error(report, tmp_path):
    with pytest.raises(InputError, match="Cannot write the report page"):
        write_report_page(report, tmp_path / "none" / "p.html", title="t")
