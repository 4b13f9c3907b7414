"""Clinical notes as a worked use: fields that a note states, and notes that agree with them.

The facts are read by plain patterns from short sections of MTS-Dialog. They say what a note states,
not what is true of anybody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from llmsynth import demo_tables
from llmsynth.generation.sample import Sample
from llmsynth.schema.columns import CategoryColumn, NumberColumn, TextColumn
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.synthesizer import Synthesizer

SECTION, NOTE = "section", "note"
FACTS = ("sex", "age", "denial")
MOST_CHARACTERS = 400
"""Longer sections are left out: a small model on a CPU would need hours for them."""
SECTION_WORDS = {
    "ALLERGY": "Allergies",
    "ASSESSMENT": "Assessment",
    "CC": "Chief complaint",
    "DIAGNOSIS": "Diagnosis",
    "DISPOSITION": "Disposition",
    "EDCOURSE": "Emergency department course",
    "EXAM": "Examination",
    "FAM/SOCHX": "Family and social history",
    "GENHX": "History of present illness",
    "GYNHX": "Gynaecological history",
    "IMAGING": "Imaging",
    "IMMUNIZATIONS": "Immunizations",
    "LABS": "Laboratory results",
    "MEDICATIONS": "Medications",
    "OTHER_HISTORY": "Other history",
    "PASTMEDICALHX": "Past medical history",
    "PASTSURGICAL": "Past surgical history",
    "PLAN": "Plan",
    "PROCEDURES": "Procedures",
    "ROS": "Review of systems",
}
"""MTS-Dialog's names of sections, in words."""
_AGE = re.compile(r"\b(\d{1,3})[- ]years?[- ]old\b", re.IGNORECASE)
_FEMALE = re.compile(r"\b(?:woman|female|lady|girl|she|her|mrs)\b", re.IGNORECASE)
_MALE = re.compile(r"\b(?:man|male|gentleman|boy|he|his|him|mr)\b", re.IGNORECASE)
_DENIAL = re.compile(r"\b(?:no|not|denies|denied|without|negative|none|never)\b", re.IGNORECASE)

Facts = Mapping[str, object]


def facts_of(note: str) -> dict[str, object]:
    """What a note states: sex (F, M, None where neither or both), age, whether it denies anything.

    Words for other people, such as a mother, count like those for the patient.
    """
    age = _AGE.search(note)
    is_female, is_male = bool(_FEMALE.search(note)), bool(_MALE.search(note))
    sex = None if is_female == is_male else "F" if is_female else "M"
    years = int(age[1]) if age is not None and int(age[1]) <= 110 else None
    return {"sex": sex, "age": years, "denial": "yes" if _DENIAL.search(note) else "no"}


def clinical_schema(sections: list[str]) -> TableSchema:
    """The table's schema, described in words for prompted models."""
    return TableSchema(
        columns=(
            CategoryColumn(
                name=SECTION,
                categories=tuple(sections),
                description="kind of section of a clinical note",
            ),
            CategoryColumn(
                name="sex", categories=("F", "M"), nullable=True, description="sex that is stated"
            ),
            NumberColumn(
                name="age", maximum="110", nullable=True, description="age in years, if stated"
            ),
            CategoryColumn(
                name="denial",
                categories=("no", "yes"),
                description="whether something is said to be absent",
            ),
            TextColumn(
                name=NOTE, maximum_length=MOST_CHARACTERS, description="text of the section"
            ),
        )
    )


def clinical_table() -> tuple[pa.Table, TableSchema]:
    """MTS-Dialog's sections of up to 400 characters, each with the facts it states."""
    source = demo_tables.load("mts_dialog")
    pairs = zip(
        source["section_header"].to_pylist(), source["section_text"].to_pylist(), strict=True
    )
    rows = [
        {SECTION: section, **facts_of(note), NOTE: note}
        for section, note in pairs
        if len(note) <= MOST_CHARACTERS
    ]
    schema = clinical_schema(sorted({str(row[SECTION]) for row in rows}))
    kinds = {"age": pa.int64()}
    fields = [(name, kinds.get(name, pa.string())) for name in schema.names]
    return pa.Table.from_pylist(rows, pa.schema(fields)), schema


def agreement(table: pa.Table) -> dict[str, float]:
    """Share of rows whose note states just what each field says, and all of them at once."""
    agrees = _agrees(table)
    shares = {name: float(agrees[:, at].mean()) for at, name in enumerate(FACTS)}
    return shares | {"all": float(agrees.all(axis=1).mean())}


def _agrees(table: pa.Table) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    out = np.zeros((table.num_rows, len(FACTS)), np.bool_)
    for at, row in enumerate(table.to_pylist()):
        stated = facts_of(row[NOTE] or "")
        out[at] = [stated[name] == row[name] for name in FACTS]
    return out


@dataclass(frozen=True, kw_only=True)
class AgreeingNotes:
    """Rows whose notes agree with their fields, and how they came about.

    first: agreement of the first draw, field by field.
    dropped: rows whose note still disagreed after every draw.
    """

    table: pa.Table
    asked: int
    first: dict[str, float] = field(default_factory=dict)
    redrawn: int = 0
    dropped: int = 0
    copied_rows: int = 0


Draw = Callable[[int, Mapping[str, object] | None, pa.Table | None, int], Sample]
"""Rows, what is fixed, fields to write notes behind, seed."""


def agreeing_notes(
    draw: Draw, n: int, *, where: Mapping[str, object] | None = None, seed: int, max_draws: int = 4
) -> AgreeingNotes:
    """Draw rows, and the notes of those that contradict their fields again, within bounds."""
    sample = draw(n, where, None, seed)
    rows, copied = sample.table, sample.report.copied_rows
    first, redrawn = agreement(rows), 0
    kept = []
    for attempt in range(1, max_draws + 1):
        is_right = _agrees(rows).all(axis=1)
        kept.append(rows.filter(pa.array(is_right)))
        rows = rows.filter(pa.array(~is_right))
        if attempt == max_draws or not rows.num_rows:
            break
        redrawn += rows.num_rows
        sample = draw(rows.num_rows, None, rows.drop_columns([NOTE]), seed + attempt)
        rows, copied = sample.table, copied + sample.report.copied_rows
    table = pa.concat_tables(kept)
    return AgreeingNotes(
        table=table,
        asked=n,
        first=first,
        redrawn=redrawn,
        dropped=n - table.num_rows,
        copied_rows=copied,
    )


def drawn_by(synthesizer: Synthesizer) -> Draw:
    """A fitted synthesizer as what draws."""

    def draw(
        n: int, where: Mapping[str, object] | None, fields: pa.Table | None, seed: int
    ) -> Sample:
        if fields is not None:
            return synthesizer.sample(given=fields, seed=seed)
        return synthesizer.sample(n, where=where, seed=seed)

    return draw


def rare_sections(table: pa.Table, *, fewest: int = 5, most: int = 25) -> dict[str, int]:
    """Sections with few rows, but enough to be learned, and how many they have."""
    names = table[SECTION].to_pylist()
    counts = {name: names.count(name) for name in sorted(set(names))}
    return {name: count for name, count in counts.items() if fewest <= count <= most}
