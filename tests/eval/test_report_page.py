"""The report page and the command that writes it."""

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from llmsynth_eval import Judgement, judge, write_page
from llmsynth_eval.cli.program import main

from llmsynth.errors import InputError


def people(rows, seed):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": np.where(rng.random(rows) < 0.1, np.nan, rng.integers(18, 90, rows)),
            "<b>town</b>": rng.choice(["Ulm & Co", "Bonn", "Köln"], rows),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 999, rows), "D"),
            "member": rng.random(rows) < 0.4,
        }
    )


TRAIN, SYNTHETIC, HOLDOUT = (people(200, seed) for seed in range(3))


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in ("meta", "path", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("path", "rect"):
            assert self.open.pop() == tag


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.html"
    judgement = judge(TRAIN, SYNTHETIC, HOLDOUT, target="member")
    write_page(judgement, TRAIN, SYNTHETIC, path, title="A < B", provenance={"model": "m & n"})
    return path.read_text(encoding="utf-8")


def test_the_page_is_well_formed_and_asks_for_nothing_outside(page):
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert not {"script", "link", "img", "iframe"} & set(tags.seen)
    outside = re.findall(r"(?:href|src)=|url\(|https?://(?!www\.w3\.org/2000/svg)", page)
    assert outside == []


def test_the_page_shows_every_part_and_escapes_names(page):
    assert "<h1>A &lt; B</h1>" in page
    assert "m &amp; n" in page
    assert "&lt;b&gt;town&lt;/b&gt;" in page
    assert "<b>town" not in page
    assert "Ulm &amp; Co" in page
    assert page.count("<svg") == len(TRAIN.columns) + 1 + 2 + 2
    assert page.count("<tr>") == len(judge_titles(page)) + 1 + 1 + 6 + 1 + 10
    assert "$" not in re.sub(r"<style>.*?</style>", "", page, flags=re.S)


def judge_titles(page):
    return re.findall(r"<tr><td><b>", page)


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("columns", [["age"], ["member"], ["age", "gone", "same"]])
def test_odd_tables_have_a_page_too(tmp_path, rows, columns):
    table = TRAIN.head(rows).assign(gone=np.nan, same="s")[columns]
    write_page(judge(table, table, table), table, table, tmp_path / "p.html", title="odd")
    assert (tmp_path / "p.html").stat().st_size > 2000


def test_a_page_of_very_wide_categories_only(tmp_path):
    table = pd.DataFrame({"key": [f"k{row}" for row in range(200)]})
    write_page(judge(table, table, table), table, table, tmp_path / "p.html", title="keys")
    assert "keys" in (tmp_path / "p.html").read_text(encoding="utf-8")


def test_tables_of_another_judgement_are_refused(tmp_path):
    judgement = judge(TRAIN, SYNTHETIC, HOLDOUT)
    fewer = TRAIN.drop(columns="age")
    with pytest.raises(InputError, match="age"):
        write_page(judgement, fewer, fewer, tmp_path / "p.html", title="t")
    with pytest.raises(InputError, match="Cannot write"):
        write_page(judgement, TRAIN, SYNTHETIC, tmp_path / "no" / "p.html", title="t")


def test_the_command_writes_page_and_json(tmp_path, capsys):
    for name, table in (("a", TRAIN), ("b", SYNTHETIC)):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    HOLDOUT.astype({"since": str}).to_parquet(tmp_path / "c.parquet")
    files = ["--train", "a.csv", "--synthetic", "b.csv", "--holdout", "c.parquet"]
    arguments = [part if part.startswith("--") else str(tmp_path / part) for part in files]
    out = ["--out", str(tmp_path / "page.html"), "--json", str(tmp_path / "out.json")]
    assert main(["judge", *arguments, "--target", "member", *out]) == 0
    judgement = Judgement.from_json((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert judgement.to_text() == capsys.readouterr().out
    assert "b.csv" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_command_says_what_was_wrong(tmp_path, capsys):
    missing = str(tmp_path / "none.csv")
    assert main(["judge", "--train", missing, "--synthetic", missing, "--holdout", missing]) == 2
    assert "Cannot read the table" in capsys.readouterr().err
