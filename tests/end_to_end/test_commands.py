"""The commands one after the other, as a person types them; and what they say to wrong input."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from llmsynth.synthesizers import Synthesizer
from llmsynth.tables import read_table, write_table

Invoke = Callable[[Sequence[str | Path]], tuple[int, str, str]]


def test_fit_inspect_sample_and_reload_work_as_programs(
    people: Path, tmp_path: Path, start: Callable[..., object]
) -> None:
    folder, out = tmp_path / "made" / "here", tmp_path / "new.parquet"
    for options, phrase in (
        (("fit", people, "--out", folder, "--max-epochs", "2"), "Learned 300 rows of 6 columns"),
        (("inspect", folder), "Holds of the data: 3 categories"),
        (("sample", folder, "--rows", "70", "--out", out), "Wrote 70 rows"),
    ):
        process = start(*options)
        said, complaints = process.communicate(timeout=120)  # type: ignore[attr-defined]
        assert process.returncode == 0, complaints  # type: ignore[attr-defined]
        assert phrase in said
    table = read_table(out)
    reloaded = Synthesizer.load(folder)
    assert table.column_names == list(reloaded.schema_.names)
    assert table.equals(reloaded.sample(70).table)


def test_a_fit_tells_rows_columns_size_loss_and_protection(
    people: Path, tmp_path: Path, invoke: Invoke
) -> None:
    status, said, _ = invoke(["fit", people, "--out", tmp_path / "s", "--max-epochs", "1"])
    assert status == 0
    for phrase in (
        "Read 300 rows of 6 columns",
        "parameters",
        "Held-out loss ",
        "extreme values brought inside the bounds (age",
        "kB",
        "--rows 300",
    ):
        assert phrase in said


def test_a_schema_written_by_schema_can_be_given_to_fit(
    people: Path, tmp_path: Path, invoke: Invoke
) -> None:
    _, text, _ = invoke(["schema", people])
    data = json.loads(text)
    next(c for c in data["columns"] if c["name"] == "spent")["maximum"] = "200"
    (tmp_path / "schema.json").write_text(json.dumps(data))
    options = ["--schema", tmp_path / "schema.json", "--max-epochs", "1", "--keep-rare"]
    status, said, _ = invoke(["fit", people, "--out", tmp_path / "s", *options])
    assert status == 0
    assert "Protected: nothing; rare values were learned, too." in said


def test_inspect_lists_columns_record_and_privacy(fitted: Path, invoke: Invoke) -> None:
    status, said, _ = invoke(["inspect", fitted])
    assert status == 0
    lines = [line.split() for line in said.splitlines()]
    assert ["city", "category", "yes", "3:", "Lima,", "Oslo,", "Rome"] in lines
    assert any(line[:2] == ["member_id", "identifier"] for line in lines)
    assert "Target: city" in said
    assert "Privacy: No differential privacy" in said


def test_inspect_gives_the_whole_record_as_json(fitted: Path, invoke: Invoke) -> None:
    _, said, _ = invoke(["inspect", fitted, "--json"])
    record = json.loads(said)
    assert record["data"]["rows"] == 300
    assert record["settings"]["target"] == "city"


def test_two_conditions_hold_in_every_row(fitted: Path, tmp_path: Path, invoke: Invoke) -> None:
    out = tmp_path / "some.csv"
    where = ["--where", "city=Oslo", "--where", "age=30"]
    status, _, _ = invoke(["sample", fitted, "--rows", "40", "--out", out, *where])
    table = read_table(out)
    assert status == 0
    assert set(table["city"].to_pylist()) == {"Oslo"}
    assert set(table["age"].to_pylist()) == {"30"}
    assert len(set(table["income"].to_pylist())) > 1


def test_a_column_can_be_left_missing(fitted: Path, tmp_path: Path, invoke: Invoke) -> None:
    out = tmp_path / "some.csv"
    options = ["--rows", "30", "--out", out, "--where-missing", "city"]
    assert invoke(["sample", fitted, *options])[0] == 0
    assert read_table(out)["city"].null_count == 30


def test_given_rows_are_completed_in_their_order(
    fitted: Path, people: Path, tmp_path: Path, invoke: Invoke
) -> None:
    given = read_table(people).select(["city", "spent"]).slice(0, 50)
    schema = Synthesizer.load(fitted).schema_
    spent = schema.column("spent")
    low, high = int(spent.minimum), int(spent.maximum)  # type: ignore[attr-defined]
    given = given.filter([low <= int(n) <= high for n in given["spent"].to_pylist()])
    write_table(given, tmp_path / "given.csv")
    out = tmp_path / "whole.csv"
    status, said, _ = invoke(["sample", fitted, "--given", tmp_path / "given.csv", "--out", out])
    assert status == 0
    assert f"Wrote {given.num_rows} rows" in said
    assert read_table(out).select(["city", "spent"]).equals(given)


def test_the_same_seed_gives_the_same_file(fitted: Path, tmp_path: Path, invoke: Invoke) -> None:
    for name, seed in (("a.csv", "5"), ("b.csv", "5"), ("c.csv", "6")):
        options = ["--rows", "50", "--seed", seed, "--out", tmp_path / name]
        assert invoke(["sample", fitted, *options])[0] == 0
    first, second, other = (tmp_path / f"{name}.csv" for name in "abc")
    assert first.read_bytes() == second.read_bytes() != other.read_bytes()


def test_a_time_limit_gives_a_readable_part_and_status_3(
    fitted: Path, tmp_path: Path, invoke: Invoke
) -> None:
    out = tmp_path / "part.csv.gz"
    options = ["--rows", "90000000", "--max-seconds", "0.2", "--out", out]
    status, said, complaint = invoke(["sample", fitted, *options])
    rows = read_table(out).num_rows
    assert status == 3
    assert 0 < rows < 90_000_000
    assert f"Wrote {rows:,} of 90,000,000 rows" in said
    assert f"partial: {90_000_000 - rows:,} rows not begun (the time limit)" in complaint


def _with_rule(fitted: Path, folder: Path) -> Path:
    """A copy of a synthesizer whose schema asks for spent < age."""
    shutil.copytree(fitted, folder)
    data = json.loads((folder / "schema.json").read_text())
    rule = {"kind": "inequality", "low": "spent", "high": "age", "strict": True}
    (folder / "schema.json").write_text(json.dumps({**data, "constraints": [rule]}))
    return folder


def test_a_rule_that_few_rows_keep_gives_what_there_is_and_status_3(
    fitted: Path, tmp_path: Path, invoke: Invoke
) -> None:
    folder, out = _with_rule(fitted, tmp_path / "strict"), tmp_path / "part.parquet"
    options = ["--rows", "400", "--out", out, "--where", "spent=75"]
    status, said, complaint = invoke(["sample", folder, *options])
    ages = read_table(out)["age"].to_pylist()
    assert status == 3, said
    assert all(age > 75 for age in ages)
    assert f"Wrote {len(ages)} of 400 rows" in said
    assert f"{400 - len(ages)} rows given up (declared constraints not met)" in complaint


def test_a_rule_that_no_row_can_keep_is_status_2_and_no_file(
    fitted: Path, tmp_path: Path, invoke: Invoke
) -> None:
    folder, out = _with_rule(fitted, tmp_path / "strict"), tmp_path / "none.csv"
    options = ["--rows", "20", "--out", out, "--where", "spent=90"]
    status, _, complaint = invoke(["sample", folder, *options])
    assert status == 2
    assert "None of 20 rows came about: 20 rows given up" in complaint
    assert not out.exists()


WRONG: list[tuple[list[str], str]] = [
    (["fit", "gone.csv", "--out", "s"], "gone.csv: the file cannot be read"),
    (["fit", "PEOPLE", "--out", "s", "--target", "town"], "'town'"),
    (["fit", "PEOPLE", "--out", "s", "--model", "big"], "model must be compact, "),
    (["fit", "PEOPLE", "--out", "s", "--max-minutes", "0"], "max_minutes must be above 0"),
    (["fit", "PEOPLE", "--out", "s", "--max-epochs", "-1"], "max_epochs must be above 0"),
    (["fit", "PEOPLE", "--out", "s", "--schema", "PEOPLE"], "not JSON"),
    (["fit", "PEOPLE", "--out", "PEOPLE"], "expected a folder"),
    (["fit", "PEOPLE", "--out", "foreign"], "config.json of something else"),
    (["sample", "FITTED", "--out", "x.csv"], "--rows N or --given FILE"),
    (["sample", "FITTED", "--out", "x.csv", "--rows", "0"], "at least 1"),
    (["sample", "FITTED", "--out", "x.txt", "--rows", "5"], "cannot tell the format"),
    (["sample", "FITTED", "--out", "gone/x.csv", "--rows", "5"], "no folder"),
    (["sample", "gone", "--out", "x.csv", "--rows", "5"], "not a saved synthesizer"),
    (["sample", "FITTED", "--out", "x.csv", "--rows", "5", "--where", "city"], "COLUMN=VALUE"),
    (["sample", "FITTED", "--out", "x.csv", "--rows", "5", "--where", "city="], "'' is not one"),
    (["sample", "FITTED", "--out", "x.csv", "--rows", "5", "--where", "town=X"], "No column"),
    (["sample", "FITTED", "--out", "x.csv", "--rows", "5", "--where", "age=old"], "found 'old'"),
    (["sample", "FITTED", "--out", "x.csv", "--rows", "5", "--where-missing", "age"], "missing"),
    (["sample", "FITTED", "--out", "x.csv", "--rows", "5", "--top-p", "0"], "top_p"),
    (["sample", "FITTED", "--out", "x.csv", "--rows", "5", "--given", "gone.csv"], "gone.csv"),
    (["sample", "FITTED", "--out", "x.csv", "--rows", "5", "--max-seconds", "1e-9"], "time limit"),
    (["inspect", "gone"], "not a saved synthesizer"),
    (["schema", "gone.csv"], "gone.csv"),
]


@pytest.mark.parametrize(("options", "reason"), WRONG)
def test_wrong_input_is_one_line_and_status_2(
    options: list[str],
    reason: str,
    people: Path,
    fitted: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    invoke: Invoke,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "config.json").write_text("{}")
    names = {"PEOPLE": people, "FITTED": fitted}
    status, _, complaint = invoke([names.get(option, option) for option in options])
    assert status == 2
    assert complaint.startswith("error: ")
    assert reason in complaint
    assert complaint.count("\n") == 1
    assert not (tmp_path / "x.csv").exists()


def test_a_folder_of_something_else_is_left_alone(
    people: Path, tmp_path: Path, invoke: Invoke
) -> None:
    (tmp_path / "config.json").write_text('{"mine": 1}')
    assert invoke(["fit", people, "--out", tmp_path])[0] == 2
    assert (tmp_path / "config.json").read_text() == '{"mine": 1}'
