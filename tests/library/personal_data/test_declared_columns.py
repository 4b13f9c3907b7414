"""Columns declared personal or not: in a schema, in Python, in the shell; and what was left."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from llmsynth import Synthesizer, pseudonymize
from llmsynth.cli import app
from llmsynth.errors import SchemaError
from llmsynth.schema.columns import CategoryColumn, column_from_json
from llmsynth.schema.inference import infer_schema
from llmsynth.tables import write_table
from llmsynth.tables.reading import read_table

FAMILY = "kettler smith rossi dubois novak oyelaran zabriel brandt haugen ferrari".split()
CODES = [f"q{n * 7 % 6}x" for n in range(120)]
TABLE = pa.table(
    {
        "surname": [FAMILY[n * 3 % 10] for n in range(120)],
        "code": CODES,
        "email": [f"a{n % 3}@b.org" for n in range(120)],
        "amount": list(range(120)),
    }
)


def test_a_field_of_the_schema_is_checked_and_kept() -> None:
    column = column_from_json({"name": "who", "kind": "category", "personal": "credit_card"})
    assert column_from_json(column.to_json()) == column
    assert "personal" not in CategoryColumn(name="who").to_json()
    with pytest.raises(SchemaError, match="personal must be one of name, email"):
        CategoryColumn(name="who", personal="nmae")


def test_a_fit_follows_declarations_and_lists_what_it_left() -> None:
    schema = infer_schema(TABLE)
    schema = schema.with_column(
        column_from_json(schema.column("surname").to_json() | {"personal": "none"})
    )
    fitted = Synthesizer(
        schema=schema, personal={"code": "id"}, max_epochs=1, hidden_size=32, num_layers=1
    ).fit(TABLE)
    record = fitted.provenance_["personal_data"]
    assert list(record["replaced"]) == ["code"]
    assert record["left"] == {"email": {"kind": "email", "why": "fewer than 10 different cells"}}
    assert set(fitted.schema_.column("surname").categories) == set(FAMILY)
    assert not set(fitted.schema_.column("code").categories) & set(CODES)
    assert fitted.schema_.column("code").personal == "id"


def test_pseudonymize_follows_declarations_and_says_what_it_left() -> None:
    done = pseudonymize(TABLE, declared={"surname": "none", "code": "id"}, seed=1)
    assert [c.name for c in done.columns] == ["code"]
    assert [c.name for c in done.left] == ["email"]
    assert done.table["surname"].equals(TABLE["surname"])


def test_the_shell_declares_and_says_what_was_left(tmp_path: Path) -> None:
    source, out = tmp_path / "a.csv", tmp_path / "b.csv"
    write_table(TABLE, source)
    order = ["pseudonymize", str(source), "--out", str(out), "--personal", "code=id"]
    told = CliRunner().invoke(app, [*order, "--not-personal", "surname"])
    assert told.exit_code == 0, told.output
    flat = " ".join(told.output.split())
    assert "Looks personal and was left: email (email: fewer than 10 different cells)" in flat
    after = read_table(out)
    assert after["surname"].to_pylist() == TABLE["surname"].to_pylist()
    assert not set(after["code"].to_pylist()) & set(CODES)
    wrong = CliRunner().invoke(app, [*order, "--personal", "email"])
    assert wrong.exit_code != 0
