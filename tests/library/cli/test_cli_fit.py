"""`llmsynth fit FILE` alone: the tables that people try first, with every default."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from llmsynth.cli import app
from llmsynth.cli.fit import _named_after


@pytest.mark.parametrize(
    ("table", "folder"),
    [
        ("data/people.csv.gz", "people"),
        ("people", "people"),
        ("s3://bucket/years/2024/", "2024"),
        ("postgresql://host/db?table=visits", "db"),
        ("-", "table"),
    ],
)
def test_a_synthesizer_is_named_after_its_table(table: str, folder: str) -> None:
    assert _named_after(table) == Path(folder)


def passengers(path: Path, rows: int = 300) -> None:
    """Names, tickets, cabins mostly absent, a number with blanks: invented, of a usual kind."""
    random = np.random.default_rng(5)
    first, last = ["Anna", "Ben", "Clara", "David"], ["Smith", "Baker", "Fuller", "Mason", "Weaver"]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Id", "Survived", "Name", "Age", "Ticket", "Cabin", "Total"])
        for row in range(rows):
            sex = "Mr." if row % 2 else "Mrs."
            name = f"{last[random.integers(5)]}, {sex} {first[random.integers(4)]} {row}"
            age = "" if row % 7 == 0 else f"{random.integers(1, 80)}"
            cabin = f"C{random.integers(1, 120)}" if row % 5 == 0 else ""
            total = " " if row % 60 == 0 else f"{random.integers(1, 9000) / 10:.1f}"
            ticket = f"A/{random.integers(1, 6)} {random.integers(1000, 99999)}"
            writer.writerow([row + 1, random.integers(2), name, age, ticket, cabin, total])


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_of_people_is_fitted_and_sampled_with_every_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    passengers(tmp_path / "passengers.csv")
    fitted = CliRunner().invoke(app, ["fit", "passengers.csv", "--max-epochs", "2"])
    assert fitted.exit_code == 0, fitted.output
    assert "passengers" in fitted.output
    drawn = CliRunner().invoke(app, ["sample", "passengers", "--rows", "200", "--out", "new.csv"])
    assert drawn.exit_code == 0, drawn.output
    real, new = (cells(tmp_path / name) for name in ("passengers.csv", "new.csv"))
    assert len(new) == 200
    assert list(new[0]) == list(real[0])
    for column in real[0]:
        present = sum(bool(row[column].strip()) for row in real) / len(real)
        assert sum(bool(row[column].strip()) for row in new) / len(new) > present / 2
    names = {row["Name"] for row in real}
    assert not names & {row["Name"] for row in new}
    amounts = [row["Total"] for row in new if row["Total"].strip()]
    assert all(0 <= float(amount) <= 1000 for amount in amounts)
