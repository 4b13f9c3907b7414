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


def test_rows_are_counted_while_sampling(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("sample") as bar:
        bar(Step(stage="sample", done=2048, total=4096))
    assert capsys.readouterr().err == "sample 50%, 2,048 rows\n"
    assert bar.started_at == 0.5
