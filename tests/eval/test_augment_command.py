"""`llmsynth-eval augment`: the verdict from files, on the screen, as JSON and as a page."""

import json

import numpy as np
import pandas as pd
import pytest
from llmsynth_eval.cli.program import main


def rows(num_rare, num_common, seed):
    rng = np.random.default_rng(seed)
    label = np.array(["yes"] * num_rare + ["no"] * num_common)
    x = rng.normal(np.where(label == "yes", 1.5, 0.0), 1.0)
    return pd.DataFrame({"x": x, "y": rng.normal(size=len(x)), "fraud": label})


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    folder = tmp_path_factory.mktemp("augment")
    rows(20, 200, 0).to_csv(folder / "train.csv", index=False)
    rows(60, 600, 1).to_csv(folder / "test.csv", index=False)
    rows(80, 0, 2).to_csv(folder / "synthetic.csv", index=False)
    given = [f"--{n}={folder / n}.csv" for n in ("train", "test", "synthetic")]
    return ["augment", *given, "--target=fraud", "--learner=linear", "--seeds=2"]


def test_the_verdict_is_printed_and_written(options, tmp_path, capsys):
    out, page = tmp_path / "found.json", tmp_path / "found.html"
    assert main([*options, "--rare-class=yes", f"--json={out}", f"--out={page}"]) == 0
    told = capsys.readouterr().out
    found = json.loads(out.read_text(encoding="utf-8"))
    assert told.startswith(found["words"])
    assert found["verdict"] in ("gain", "no gain detected", "harm")
    assert (found["num_train"], found["num_rare"], found["num_test_rare"]) == (220, 20, 60)
    assert found["rare_rows"]["copy_share"] == 0
    assert {row["arm"]["kind"] for row in found["rows"]} > {"class weights", "synthetic rows"}
    drawn = page.read_text(encoding="utf-8")
    assert found["words"] in drawn
    assert "No gain is a normal answer" in drawn


def test_an_amount_that_is_none_is_refused(options, capsys):
    assert main([*options, "--amount=lots"]) == 2
    assert "error: --amount must be a number" in capsys.readouterr().err
