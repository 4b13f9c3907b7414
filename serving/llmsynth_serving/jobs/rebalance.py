"""A rebalancing: a stored table becomes one with more rare rows, and a verdict on them."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

from llmsynth.schema.columns import CategoryColumn
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth.uses.asked_groups import column_told
from llmsynth.uses.rebalanced import Rebalanced
from llmsynth.uses.rebalancing import RebalanceSettings
from llmsynth.uses.rebalancing import rebalance as rebalance_table
from llmsynth.uses.record import rebalanced_record
from llmsynth.uses.verdict import JudgeSettings
from llmsynth_serving.jobs.context import JobContext
from llmsynth_serving.jobs.made_table import made_table

_TOLD = ("label", "real", "added", "short", "prior", "redrawn", "kept_cells", "copies_left_out")


def rebalance(context: JobContext) -> dict[str, Any]:
    """Bring the order's groups to their shares, and ask the judges.

    Returns:
        `table` and `report` as stored; `verdict`, `words` and the account of each group.
    """
    spec = context.spec
    pages = context.work / f"verdict-{context.attempt}"
    with context.table("source_id") as (record, path):
        found = _rebalanced(context, path, record.schema, pages)
    schema = _with_origin(found, spec["origin"])
    return {
        "table": made_table(context, found.table, schema),
        "report": _report(context, found, pages),
        "verdict": found.verdict,
        "words": found.words,
        "groups": [
            {name: group[name] for name in _TOLD} for group in rebalanced_record(found)["groups"]
        ],
        "is_partial": any(account.short for account in found.groups),
    }


def _rebalanced(context: JobContext, path: Path, schema: dict[str, Any], pages: Path) -> Rebalanced:
    spec = context.spec
    synthesizer = Synthesizer(
        target=column_told(spec["groups"]),
        schema=TableSchema.from_json(json.dumps(schema)),
        **spec["settings"],
    )
    settings = RebalanceSettings(
        # Orders that stand in a queue since before an upgrade do not say.
        method=spec.get("method", "whole"),
        test_share=spec["test_share"],
        relabel=spec["relabel"],
        origin=spec["origin"],
        judging=JudgeSettings(num_seeds=spec["num_seeds"]),
        seed=synthesizer.seed,
    )
    with ExitStack() as stack:
        test = None
        if spec["test_id"] is not None:
            _, test = stack.enter_context(context.table("test_id"))
        return rebalance_table(
            path,
            spec["groups"],
            test=test,
            synthesizer=synthesizer,
            settings=settings,
            pages=pages,
            progress=context.progress,
        )


def _with_origin(found: Rebalanced, origin: str | None) -> TableSchema:
    if origin is None:
        return found.schema
    column = CategoryColumn(name=origin, categories=("real", "synthetic"))
    return replace(found.schema, columns=(*found.schema.columns, column))


def _report(context: JobContext, found: Rebalanced, pages: Path) -> dict[str, Any]:
    folder = context.work / f"report-{context.attempt}"
    folder.mkdir()
    record = rebalanced_record(found)
    (folder / "report.json").write_text(json.dumps(record, default=str), encoding="utf-8")
    drawn = sorted(pages.glob("*.html")) if pages.is_dir() else []
    page = drawn[0].read_text(encoding="utf-8") if drawn else _plain(found)
    (folder / "report.html").write_text(page, encoding="utf-8")
    where = f"reports/{context.spec['report_id']}/{context.attempt}"
    num_bytes = context.storage.put_folder(folder, where)
    shutil.rmtree(folder)
    shutil.rmtree(pages, ignore_errors=True)
    summary: dict[str, Any] = {
        "kind": "rebalance",
        "verdict": found.words,
        "outcome": _outcome(found),
        "alarms": [],
        "figures": {},
    }
    return {"path": where, "num_bytes": num_bytes, "summary": summary}


def _outcome(found: Rebalanced) -> str | None:
    """What a page marks: `harm` to any group, else `gain` of any."""
    verdicts = {one.verdict for one in found.verdicts}
    return next((word for word in ("harm", "gain") if word in verdicts), None)


def _plain(found: Rebalanced) -> str:
    """The words alone, where nothing could be measured."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Verdict</title></head>'
        f"<body><p>{escape(found.words)}</p></body></html>\n"
    )
