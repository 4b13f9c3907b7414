"""Progress away from a terminal: a line for each tenth, on stderr."""

from __future__ import annotations

import pytest

from llmsynth.cli.progress_bar import ProgressBar
from llmsynth.progress import Step


def test_one_line_for_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("fit") as bar:
        for hundredth in (0, 1, 9, 10, 19, 35, 39, 100):
            bar(Step(stage="train", done=hundredth / 100, total=1.0, loss=2.5, seconds_left=61))
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "fit 0%, loss 2.500",
        *(f"fit {share}%, loss 2.500, 1:01 left" for share in (10, 35, 100)),
    ]


def test_what_is_drawn_after_a_fit_is_told_as_drawing(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("fit") as bar:
        bar(Step(stage="train", done=0.95, total=1.0))
        bar(Step(stage="sample", done=100, total=400))
        bar(Step(stage="sample", done=400, total=400))
    said = capsys.readouterr().err.splitlines()
    assert said == ["fit 95%", "sample 25%, 100 rows", "sample 100%, 400 rows"]


def test_a_share_of_a_set_of_tables_is_no_number_of_rows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ProgressBar("sample") as bar:
        bar(Step(stage="sample", done=0.5, total=1.0))
    assert capsys.readouterr().err == "sample 50%\n"


def test_rows_are_counted_while_sampling(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("sample") as bar:
        bar(Step(stage="sample", done=2048, total=4096))
    assert capsys.readouterr().err == "sample 50%, 2,048 rows\n"
    assert bar.started_at == 0.5
