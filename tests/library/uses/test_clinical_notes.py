"""Clinical notes: what they state, drawing until it agrees with the fields, and the page."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from llmsynth.cli import clinical
from llmsynth.cli.clinical import clinical_demo
from llmsynth.generation.sample import Sample, SampleReport
from llmsynth.uses.clinical_notes import (
    SECTION_WORDS,
    agreeing_notes,
    agreement,
    clinical_table,
    facts_of,
    rare_sections,
)


@pytest.mark.parametrize(
    ("note", "facts"),
    [
        ("The patient is a 48-year-old woman who denies fever.", ("F", 48, "yes")),
        ("He is 7 years old and takes aspirin.", ("M", 7, "no")),
        ("Her father had a stroke; he is well.", (None, None, "no")),
        ("No known drug allergies.", (None, None, "yes")),
        ("A 480 year old oak.", (None, None, "no")),
        ("Sheila notes pain in the shed.", (None, None, "no")),
    ],
)
def test_a_note_states_what_its_words_say(note: str, facts: tuple[object, ...]) -> None:
    assert tuple(facts_of(note).values()) == facts


def test_the_table_has_the_facts_of_its_notes_and_fits_its_schema() -> None:
    table, schema = clinical_table()
    assert table.column_names == list(schema.names)
    assert table.num_rows == 1373
    assert agreement(table) == {"sex": 1.0, "age": 1.0, "denial": 1.0, "all": 1.0}
    assert set(table["section"].to_pylist()) == set(SECTION_WORDS)
    rare = rare_sections(table)
    assert rare["IMMUNIZATIONS"] == 11
    assert "FAM/SOCHX" not in rare
    assert "LABS" not in rare


FIELDS = {"section": "CC", "sex": "F", "age": None, "denial": "no"}


class Writer:
    """Writes the next of some notes behind whatever fields there are."""

    def __init__(self, *notes: str) -> None:
        self.notes, self.calls = list(notes), list[tuple[int, int]]()

    def __call__(
        self, n: int, where: Mapping[str, object] | None, fields: pa.Table | None, seed: int
    ) -> Sample:
        self.calls.append((n, seed))
        rows = [FIELDS] * n if fields is None else fields.to_pylist()
        made = [{**row, "note": self.notes.pop(0)} for row in rows]
        table = pa.Table.from_pylist(
            made, pa.schema([(k, pa.int64() if k == "age" else pa.string()) for k in made[0]])
        )
        _, schema = clinical_table()
        return Sample(table, schema, SampleReport(asked=n, rows=n))


def test_notes_that_contradict_their_fields_are_drawn_again_and_the_last_left_out() -> None:
    writer = Writer(
        "She has pain.", "He has pain.", "No pain.", "She rests.", "He rests.", "He sleeps.",
        "He eats.",
    )  # fmt: skip
    made = agreeing_notes(writer, 3, seed=10, max_draws=4)
    assert made.table["note"].to_pylist() == ["She has pain.", "She rests."]
    assert writer.calls == [(3, 10), (2, 11), (1, 12), (1, 13)]
    assert (made.redrawn, made.dropped) == (4, 1)
    assert made.first["sex"] == pytest.approx(1 / 3)
    assert made.first["age"] == 1.0
    assert agreement(made.table)["all"] == 1.0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demo_fills_a_page_from_its_record_alone(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clinical, "RARE_ROWS", 1)
    model = tmp_path / "model"
    shutil.copytree(tiny_model, model)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 1024}))
    clinical_demo(tmp_path, max_minutes=0.05, model=str(model), rows=60)
    record = json.loads((tmp_path / "clinical.json").read_text(encoding="utf-8"))
    page = (tmp_path / "clinical.html").read_text(encoding="utf-8")
    assert record["usual"]["rows"] + record["usual"]["dropped"] == record["usual"]["asked"] == 60
    assert record["held_out_agreement"]["all"] == 1.0
    assert {figure["name"] for figure in record["figures"]} >= {"text_c2st"}
    assert "Not for care" in page
    assert all(figure["meaning"].split("<")[0][:20] in page for figure in record["figures"])
    words = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)
    assert "Traceback" not in words
    assert not re.search(r"<script|https?://(?!doi\.org)", page)
