"""The demo: its split, what it needs, how it fails, and once from start to page."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from llmsynth import judging
from llmsynth.cli import demo
from llmsynth.cli.judging import DemoFiles, judged
from llmsynth.errors import LlmsynthError
from llmsynth.schema import TableSchema
from llmsynth.tables import read_table

Invoke = Callable[[Sequence[str | Path]], tuple[int, str, str]]


def _rows(table: pa.Table) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in table.to_pylist()]


def test_the_halves_hold_every_different_row_once() -> None:
    texts = [str(n % 30) for n in range(100)] + [None]
    table = pa.table({"a": texts, "b": ["x"] * 101})
    train, holdout = demo.halves(table, seed=0)
    assert (train.num_rows, holdout.num_rows) == (15, 16)
    assert sorted(map(str, _rows(train) + _rows(holdout))) == sorted(map(str, set(_rows(table))))


def test_the_split_follows_its_seed_alone() -> None:
    table = pa.table({"a": [str(n) for n in range(200)]})
    first, again, other = (demo.halves(table, seed=seed)[0] for seed in (3, 3, 4))
    assert first.equals(again)
    assert not first.equals(other)


def test_without_the_judges_packages_the_demo_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, invoke: Invoke
) -> None:
    monkeypatch.setattr(judging, "find_spec", lambda name: None if name == "sklearn" else name)
    status, _, complaint = invoke(["demo", "--out", tmp_path / "demo"])
    assert status == 2
    assert complaint == (
        "error: The package 'sklearn' is not installed. "
        'Install it with: pip install "llmsynth[eval]"\n'
    )
    assert not (tmp_path / "demo").exists()


def test_a_demo_folder_that_is_a_file_is_one_line(people: Path, invoke: Invoke) -> None:
    status, _, complaint = invoke(["demo", "--out", people])
    assert status == 2
    assert complaint.count("\n") == 1


def test_what_the_judges_complain_of_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(LlmsynthError, match=r"The judges failed: Cannot read the table .*train"):
        judged(DemoFiles(tmp_path), "class", title="nothing")


@pytest.mark.slow
def test_the_demo_goes_from_a_real_table_to_a_page(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    files = DemoFiles(tmp_path / "demo")
    options = ("--out", files.folder, "--table", "sick_thyroid", "--max-minutes", "0.05")
    process = start("demo", *options)
    said, complaint = process.communicate(timeout=240)
    assert process.returncode == 0, complaint
    train, holdout, synthetic = map(read_table, (files.train, files.holdout, files.synthetic))
    assert not set(_rows(train)) & set(_rows(holdout))
    assert train.num_rows == synthetic.num_rows
    assert synthetic.column_names == train.column_names
    figures = json.loads(files.judgement.read_text())["figures"]
    assert {"shape", "trend", "c2st"} <= {figure["name"] for figure in figures}
    for figure in figures:
        line = next(line for line in said.splitlines() if line.startswith(figure["title"]))
        assert f"{figure['value']:.4f}" in line
        assert figure["floor"] is None or f"{figure['floor']:.4f}" in line
    assert "<svg" in files.page.read_text()
    assert str(files.page) in said
    # The judges go by the kinds and bounds of the real rows, not by the protected ones.
    judged_by = TableSchema.read(files.schema)
    learned = TableSchema.read(files.synthesizer / "schema.json")
    assert judged_by != learned
    assert judged_by.names == learned.names
