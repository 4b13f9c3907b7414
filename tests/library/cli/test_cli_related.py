"""Related tables from the shell: fit and sample, and a folder that is something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from typer.testing import CliRunner, Result

from llmsynth import MetadataSet
from llmsynth.cli import app
from llmsynth.schema.metadata_set import ForeignKey, SetTable


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def written(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    teams = pd.DataFrame({"team_id": range(50, 90), "colour": ["red", "blue"] * 20})
    members = [(t, int(rng.integers(18, 60))) for t in teams["team_id"] for _ in range(t % 3)]
    teams.to_csv(folder / "teams.csv", index=False)
    pd.DataFrame(members, columns=["team", "age"]).to_csv(folder / "members.csv", index=False)
    joined = MetadataSet(
        tables={"team": SetTable(primary_key="team_id", file="teams.csv"), "members": SetTable()},
        foreign_keys=(ForeignKey(table="members", column="team", parent="team"),),
    )
    path = folder / "set.json"
    path.write_text(joined.to_json())
    return path


def test_tables_come_in_and_new_ones_go_out(tmp_path: Path) -> None:
    fitted, out = tmp_path / "fitted", tmp_path / "new"
    done = run("fit-related", written(tmp_path), "--out", fitted, "--max-epochs", 2)
    assert done.exit_code == 0, done.output
    assert "Read 40 rows of team" in done.output
    done = run("sample-related", fitted, "--scale", 0.5, "--out", out)
    assert done.exit_code == 0, done.output
    teams, members = pd.read_csv(out / "team.csv"), pd.read_csv(out / "members.csv")
    assert len(teams) == 20
    assert set(members["team"]) <= set(teams["team_id"])
    assert "table-0: compact synthesizer" in run("inspect", fitted).output
    late = run("sample-related", fitted, "--out", out, "--max-seconds", "1e-6")
    assert late.exit_code == 3


def test_rows_are_ordered_by_what_the_shell_names(tmp_path: Path) -> None:
    fitted, out = tmp_path / "fitted", tmp_path / "new"
    path = written(tmp_path)
    wrong = run("fit-related", path, "--out", fitted, "--order-by", "age")
    assert wrong.exit_code == 2
    assert "--order-by must be TABLE=COLUMN" in wrong.output
    done = run("fit-related", path, "--out", fitted, "--max-epochs", 2, "--order-by", "members=age")
    assert done.exit_code == 0, done.output
    done = run("sample-related", fitted, "--out", out)
    assert done.exit_code == 0, done.output
    ages = pd.read_csv(out / "members.csv").groupby("team")["age"]
    assert ages.diff().dropna().ge(0).all()


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    path = written(tmp_path)
    done = run("fit-related", path, "--out", tmp_path)
    assert done.exit_code == 2
    assert "something else than related tables" in done.output
