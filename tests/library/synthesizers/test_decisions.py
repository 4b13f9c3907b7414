"""Before a fit, each column's fate is told: what it is, an example, and what changes it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from llmsynth import Synthesizer
from llmsynth.cli.decision_table import decision_lines
from llmsynth.synthesizers.decisions import Decisions


def _told(table: pd.DataFrame, **settings: object) -> tuple[Decisions, Synthesizer]:
    small: dict[str, object] = {"max_epochs": 1, "hidden_size": 32, "num_layers": 1}
    found: list[Decisions] = []
    synthesizer = Synthesizer(**(small | settings))  # type: ignore[arg-type]
    synthesizer.fit(table, decided=found.append)
    (one,) = found
    return one, synthesizer


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    rows = 200
    given, family = ["John", "Mary", "Paul", "Ann"], ["Smith", "Brown", "Miller", "Davis", "Wilson"]
    names = [
        f"{draw.choice(given)} {draw.choice(given)[0]} {draw.choice(family)}" for _ in range(rows)
    ]
    return pd.DataFrame(
        {
            "id": np.arange(1, rows + 1),
            "name": [f"{name}son" for name in names],
            "code": [f"K{draw.integers(100, 999)}" for _ in range(rows)],
            "level": ["low", "high"] * 70 + [f"odd {n}" for n in range(60)],
            "pay": np.round(draw.normal(50, 9, rows), 2),
        }
    )


def test_every_column_is_told_in_order_with_an_example(table: pd.DataFrame) -> None:
    found, _ = _told(table)
    by_name = {own.column: own for own in found.columns}
    assert list(by_name) == list(table.columns)
    assert by_name["id"].treatment.startswith("re-invented in the pattern")
    assert by_name["name"].kind == "name"
    assert by_name["name"].example == table["name"][0]
    assert by_name["name"].written != table["name"][0]
    assert by_name["code"].treatment.startswith("text in pieces")
    assert "30% of its cells" in by_name["level"].reason
    assert "70% of cells whole" in by_name["level"].treatment
    assert "extreme cells" in by_name["pay"].treatment
    assert by_name["pay"].option == "--keep-rare"


def test_what_is_lost_by_a_fifth_and_more_is_said_first(table: pd.DataFrame) -> None:
    found, _ = _told(table, drop_text=True)
    names = [warning.partition(":")[0] for warning in found.warnings]
    assert names == ["name", "code", "level"]
    assert "30% of its cells are held back" in found.warnings[2]
    assert "--keep-rare" in found.warnings[2]
    assert next(iter(decision_lines(found))) == f"WARNING {found.warnings[0]}"


def test_a_long_text_is_warned_of_with_what_to_do() -> None:
    draw = np.random.default_rng(1)
    words = [f"w{n}ord" for n in range(150)]
    notes = [" ".join(draw.choice(words, 90)) for _ in range(60)]
    found, _ = _told(pd.DataFrame({"note": notes, "x": np.arange(60) % 3}))
    (warning,) = found.warnings
    assert warning.startswith("note: long text. The compact model cuts or leaves out 100%")
    assert "--model" in warning


def test_the_record_holds_decisions_and_no_cell(table: pd.DataFrame) -> None:
    found, synthesizer = _told(table)
    text = json.dumps(synthesizer.provenance_["decided"])
    assert synthesizer.provenance_["decided"] == found.to_json()
    for name in ("name", "code"):
        assert table[name][0] not in text


def test_notes_of_others_stand_beside_the_decision_and_wide_tables_stay_short() -> None:
    wide = pd.DataFrame({f"c{n}": ["a", "b"] * 20 for n in range(60)})
    found, _ = _told(wide)
    noted = found.with_notes({"c7": ["read as Latin-1"]})
    lines = list(decision_lines(noted))
    assert len(lines) == 3
    assert "read as Latin-1" in lines[1]
    assert lines[2] == "and 59 more columns, learned as they are."
