"""`llmsynth demo --clinical`: sections of clinical notes, learned, written anew and judged."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import typer

import llmsynth
from llmsynth import demo_tables
from llmsynth.cli.failures import INTERRUPTED
from llmsynth.cli.fit import fit_into, prepare_folder
from llmsynth.judging import require_judges, run_judges
from llmsynth.tables import write_table

if TYPE_CHECKING:
    from llmsynth.schema import TableSchema
    from llmsynth.uses.clinical_notes import AgreeingNotes

ROWS, RARE_ROWS = 100, 3
DEFAULT_MINUTES = 20.0
_HOLDOUT = 5
_SHOWN = 2


def clinical_demo(folder: Path, *, max_minutes: float | None, model: str, rows: int = ROWS) -> None:
    """Do all of it, and leave `clinical.html` and `clinical.json` in the folder."""
    require_judges()
    # These reach torch, which takes seconds to load, and the templates' library.
    from llmsynth.cli.clinical_page import clinical_page
    from llmsynth.uses.clinical_notes import clinical_table

    prepare_folder(folder / "synthesizer")
    about = demo_tables.describe("mts_dialog")
    typer.echo(f"{about.title}\n{about.citation} {about.licence}.\n")
    table, schema = clinical_table()
    order = np.random.default_rng(0).permutation(table.num_rows)
    cut = table.num_rows // _HOLDOUT
    holdout, train = (table.take(pa.array(part)) for part in (order[:cut], order[cut:]))
    minutes = DEFAULT_MINUTES if max_minutes is None else max_minutes
    record = _made(folder, train, schema, minutes, model, rows)
    record |= _judged(folder, train, holdout, schema)
    (folder / "clinical.json").write_text(
        json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    page = folder / "clinical.html"
    page.write_text(clinical_page(record), encoding="utf-8")
    typer.echo(f"The page: {page}\nAll figures of the texts: {folder / 'report' / 'report.html'}")


def _made(
    folder: Path, train: pa.Table, schema: TableSchema, minutes: float, model: str, rows: int
) -> dict[str, object]:
    """Fit, draw, write the tables; what the page says of that."""
    from llmsynth.synthesizers import Synthesizer
    from llmsynth.uses.clinical_notes import (
        NOTE,
        SECTION,
        SECTION_WORDS,
        agreeing_notes,
        drawn_by,
        rare_sections,
    )

    synthesizer = Synthesizer(model=model, target=SECTION, schema=schema, max_minutes=minutes)
    fitting = fit_into(synthesizer, train, folder / "synthesizer")
    for line in fitting.lines:
        typer.echo(line)
    if fitting.is_partial:
        raise typer.Exit(INTERRUPTED)
    draw = drawn_by(synthesizer)
    usual = agreeing_notes(draw, rows, seed=0)
    _tell("Drew", usual)
    learned = synthesizer.schema_.column(SECTION).to_json()["categories"]
    assert isinstance(learned, list)
    rare: dict[str, AgreeingNotes] = {}
    for section, count in rare_sections(train).items():
        if section in learned:
            rare[section] = agreeing_notes(
                draw, RARE_ROWS, where={SECTION: section}, seed=len(rare) + 1
            )
            _tell(f"Drew {section} ({count} learned):", rare[section])
    write_table(usual.table, folder / "synthetic.csv")
    if rare:
        write_table(pa.concat_tables([made.table for made in rare.values()]), folder / "rare.csv")
    counts = train[SECTION].to_pylist()
    sections = {s: _shown(usual.table.filter(_is(usual.table, s))) for s in learned}
    sections |= {s: _shown(made.table) for s, made in rare.items()}
    training = synthesizer.training_
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "version": llmsynth.__version__,
        "citation": demo_tables.describe("mts_dialog").citation,
        "licence": demo_tables.describe("mts_dialog").licence,
        "model": model,
        "fit": {
            "rows": train.num_rows,
            "minutes": round(synthesizer.fit_seconds_ / 60, 1),
            "steps": training.steps,
            "epochs": round(training.epochs, 2),
            "guard_tokens": synthesizer.text.copy_guard,
        },
        "identifiers": _identifiers(synthesizer.provenance_),
        "usual": _account(usual),
        "rare": [
            {"words": SECTION_WORDS.get(s, s), "learned": counts.count(s), **_account(made)}
            for s, made in rare.items()
        ],
        "sections": [
            {
                "name": s,
                "words": SECTION_WORDS.get(s, s),
                "learned": counts.count(s),
                "is_rare": s in rare,
                "notes": notes,
            }
            for s, notes in sections.items()
            if notes
        ],
        "unlearned": sorted(set(counts) - set(learned)),
        "note_column": NOTE,
    }


def _judged(
    folder: Path, train: pa.Table, holdout: pa.Table, schema: TableSchema
) -> dict[str, object]:
    """Have the judges measure the texts; their answers and figures, and the real agreement."""
    from llmsynth.uses.clinical_notes import SECTION, agreement

    files = {name: folder / f"{name}.csv" for name in ("train", "holdout", "synthetic")}
    write_table(train, files["train"])
    write_table(holdout, files["holdout"])
    (folder / "schema.json").write_text(schema.to_json(), encoding="utf-8")
    typer.echo("Judging the texts: every figure beside the same of held-out real notes.")
    title = "Synthetic clinical notes"
    run_judges(
        "report",
        {
            **files,
            "out": folder / "report",
            "target": SECTION,
            "schema": folder / "schema.json",
            "topic": "text",
            "title": title,
        },
    )
    report = json.loads((folder / "report" / "report.json").read_text(encoding="utf-8"))
    results = report["evaluations"][0]["results"]
    measured = [result["measurement"] for result in results]
    return {
        "held_out_rows": holdout.num_rows,
        "held_out_agreement": agreement(holdout),
        "headlines": [h for found in measured for h in found.get("headlines", [])],
        "figures": [f for found in measured for f in found.get("figures", [])],
    }


def _account(made: AgreeingNotes) -> dict[str, object]:
    told = asdict(made)
    told.pop("table")
    return told | {"rows": made.table.num_rows}


def _identifiers(provenance: Mapping[str, object]) -> dict[str, int]:
    """Identifiers that patterns found in the notes and that were replaced before learning."""
    told = provenance.get("personal_data")
    replaced = told.get("replaced", {}) if isinstance(told, Mapping) else {}
    found: dict[str, int] = {}
    for column in replaced.values():
        for kind, count in column.get("spans", {}).items():
            found[kind] = found.get(kind, 0) + int(count)
    return found


def _shown(table: pa.Table) -> list[Mapping[str, object]]:
    """The first rows, in the order they were drawn: no choice by quality."""
    rows: list[Mapping[str, object]] = table.slice(0, _SHOWN).to_pylist()
    return rows


def _is(table: pa.Table, section: str) -> pa.Array:
    from llmsynth.uses.clinical_notes import SECTION

    return pa.array([name == section for name in table[SECTION].to_pylist()])


def _tell(what: str, made: AgreeingNotes) -> None:
    typer.echo(
        f"{what} {made.table.num_rows} of {made.asked} rows; at the first draw "
        f"{made.first['all']:.0%} agreed with their fields, {made.redrawn} notes were drawn again."
    )
