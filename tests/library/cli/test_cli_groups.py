"""Groups from the shell: fit, sample, inspect, and options that do not go together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from llmsynth.cli import app


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    rows = [
        (f"C{c:03d}", "red" if c % 2 else "blue", 10 * c + step, int(rng.integers(0, 50)))
        for c in range(40)
        for step in range(1 + c % 4)
    ]
    path = tmp_path_factory.mktemp("groups") / "steps.csv"
    pd.DataFrame(rows, columns=["car", "colour", "step", "load"]).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def folder(file: Path) -> Path:
    out = file.parent / "fitted"
    grouped = ("--group-by", "car", "--order-by", "step", "--max-epochs", 2)
    done = run("fit", file, "--out", out, *grouped)
    assert done.exit_code == 0, done.output
    assert "Static: colour" in done.output
    return out


def test_new_groups_are_written(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "new.csv"
    done = run("sample", folder, "--groups", 30, "--out", out, "--where", "colour=red")
    assert done.exit_code == 0, done.output
    rows = pd.read_csv(out)
    assert f"{len(rows):,} rows of 30 groups" in done.output
    assert list(rows.columns) == ["car", "colour", "step", "load"]
    assert rows["car"].nunique() == 30
    assert set(rows["colour"]) == {"red"}


def test_given_rows_are_completed(folder: Path, tmp_path: Path) -> None:
    given, out = tmp_path / "given.csv", tmp_path / "new.csv"
    cells = {"car": ["C900", "C900", "C901"], "step": [100, 110, 60], "colour": ["red"] * 3}
    pd.DataFrame(cells).to_csv(given, index=False)
    done = run("sample", folder, "--given", given, "--out", out)
    assert done.exit_code == 0, done.output
    rows = pd.read_csv(out)
    assert rows[list(cells)].to_dict("list") == cells
    assert rows["load"].between(0, 49).all()


def test_a_time_limit_ends_with_status_three(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "new.csv"
    limited = run("sample", folder, "--groups", 30, "--out", out, "--max-seconds", "1e-6")
    assert limited.exit_code == 3
    assert "groups not begun" in limited.output


def test_inspect_tells_of_both_models(folder: Path) -> None:
    done = run("inspect", folder)
    assert done.exit_code == 0
    assert "heads: compact synthesizer" in done.output
    assert "rows: compact synthesizer" in done.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--order-by", "step"), "need --group-by"),
        (("--group-by", "car", "--target", "load"), "--target is not for tables of groups"),
        (("--group-by", "van"), "no column 'van'"),
        (("--group-by", "car", "--epsilon", 1), "groups of rows and related tables are not"),
    ],
)
def test_what_cannot_be_fitted_is_told(
    file: Path, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    done = run("fit", file, "--out", tmp_path / "out", *words)
    assert done.exit_code == 2
    assert told in done.output


def test_a_pretrained_model_writes_the_texts(tiny_model: Path, tmp_path: Path) -> None:
    words = ("tired", "well again", "in some pain")
    notes = [
        (f"C{c:02d}", c % 3, f"Day {c}: at step {n} the driver feels {words[(c + n) % 3]}.")
        for c in range(40)
        for n in range(2)
    ]
    table, out = tmp_path / "notes.csv", tmp_path / "new.csv"
    pd.DataFrame(notes, columns=["car", "load", "note"]).to_csv(table, index=False)
    fit = ("fit", table, "--out", tmp_path / "fitted", "--group-by", "car", "--max-epochs", 1)
    refused = run(*fit)
    assert refused.exit_code == 2
    assert "--model smollm2-135m" in refused.output
    done = run(*fit, "--model", tiny_model, "--rank", 2, "--copy-guard", 0)
    assert done.exit_code == 0, done.output
    assert "Texts: note." in done.output
    done = run("sample", tmp_path / "fitted", "--groups", 3, "--out", out)
    assert done.exit_code == 0, done.output
    assert pd.read_csv(out)["note"].notna().all()


def test_rows_of_groups_and_groups_of_rows_are_told_apart(folder: Path, file: Path) -> None:
    out = file.parent / "x.csv"
    assert "expected --groups N" in run("sample", folder, "--rows", 3, "--out", out).output
    assert "holds a synthesizer of groups" in run("fit", file, "--out", folder).output
