"""The command `llmsynth-eval`: files in, files and an exit status out."""

import subprocess
import sys

import pytest
from llmsynth_eval import Report
from llmsynth_eval.cli.program import main
from llmsynth_eval.cli.report_command import named_files

from llmsynth.errors import SettingsError


@pytest.fixture(scope="module")
def folder(three, tmp_path_factory):
    out = tmp_path_factory.mktemp("eval")
    for name, table in zip(("train", "holdout", "synthetic"), three, strict=True):
        table.head(80).to_csv(out / f"{name}.csv", index=False)
    three[2].tail(80).to_parquet(out / "second.parquet")
    return out


@pytest.fixture(scope="module")
def reported(folder):
    real = ["--train", str(folder / "train.csv"), "--holdout", str(folder / "holdout.csv")]
    ours = [f"--synthetic=first={folder / 'synthetic.csv'}"]
    ours += [f"--synthetic=second={folder / 'second.parquet'}"]
    rest = [
        "--target",
        "member",
        "--topic",
        "fidelity",
        "--seed",
        "3",
        "--out",
        str(folder / "out"),
    ]
    assert main(["report", *real, *ours, *rest]) == 0
    return folder / "out"


def test_report_writes_both_files(reported):
    report = Report.from_json((reported / "report.json").read_text(encoding="utf-8"))
    assert [evaluation.name for evaluation in report.evaluations] == ["first", "second"]
    assert report.seed == 3
    assert report.provenance["synthetic file of second"] == "second.parquet"
    assert "Side by side" in (reported / "report.html").read_text(encoding="utf-8")


def test_gate_exits_with_one_and_says_what_is_broken(reported, tmp_path, capsys):
    gates = tmp_path / "gates.toml"
    gates.write_text("[figures.ks]\nmaximum = 0.000001\n", encoding="utf-8")
    assert main(["gate", str(reported / "report.json"), str(gates)]) == 1
    assert "broken: first: ks is" in capsys.readouterr().err
    gates.write_text("[figures.ks]\nmaximum = 1\n", encoding="utf-8")
    assert main(["gate", str(reported / "report.json"), str(gates)]) == 0
    assert "Every gate is kept" in capsys.readouterr().out


def test_the_module_runs_the_same_program(reported, tmp_path):
    gates = tmp_path / "gates.toml"
    gates.write_text("[figures.ks]\nmaximum = 1\n", encoding="utf-8")
    command = [sys.executable, "-m", "llmsynth_eval", "gate", str(reported / "report.json"), gates]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (run.returncode, run.stdout) == (0, "Every gate is kept.\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gate", "none.json", "GATES"], "Cannot read the report"),
        (["report", "--train", "none.csv", "--holdout", "h.csv", "--synthetic", "s.csv"], "table"),
    ],
)
def test_what_was_wrong_is_told_in_one_line(arguments, words, tmp_path, capsys):
    gates = tmp_path / "g.toml"
    gates.write_text("[headlines]\nall_quiet = true\n", encoding="utf-8")
    arguments = [str(gates) if part == "GATES" else part for part in arguments]
    if arguments[0] == "report":
        arguments += ["--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert words in told


def test_synthetic_tables_have_names():
    assert list(named_files(["a/x.csv"])) == ["synthetic"]
    assert {n: str(p) for n, p in named_files(["ours=x.csv", "b/y.csv.gz"]).items()} == {
        "ours": "x.csv",
        "y": "b/y.csv.gz",
    }
    with pytest.raises(SettingsError, match="Two synthetic"):
        named_files(["a/x.csv", "b/x.csv"])
