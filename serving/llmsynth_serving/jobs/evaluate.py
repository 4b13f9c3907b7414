"""An evaluation: a stored synthetic table beside real ones becomes a stored report."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pyarrow.parquet as pq
from llmsynth_eval import evaluate as evaluate_tables
from llmsynth_eval import write_report_page
from llmsynth_eval.overall import overall_words
from llmsynth_eval.report import Evaluation

from llmsynth.schema.table_schema import TableSchema
from llmsynth_serving.jobs.context import JobContext


def evaluate(context: JobContext) -> dict[str, Any]:
    """Judge `table_id` against `train_id`, beside `holdout_id`.

    Returns:
        `report`: path and bytes of the folder in storage, and the figures in short.
    """
    with (
        context.table("train_id") as (record, train_path),
        context.table("holdout_id") as (_, holdout_path),
        context.table("table_id") as (_, synthetic_path),
    ):
        train, holdout, synthetic = (
            pq.read_table(path) for path in (train_path, holdout_path, synthetic_path)
        )
    report = evaluate_tables(
        train,
        holdout,
        synthetic,
        target=context.spec.get("target"),
        schema=TableSchema.from_json(json.dumps(record.schema)),
        seed=context.spec.get("seed", 0),
    )
    folder = context.work / f"report-{context.attempt}"
    folder.mkdir()
    (folder / "report.json").write_text(report.to_json(), encoding="utf-8")
    write_report_page(report, folder / "report.html", title=context.spec["title"])
    where = f"reports/{context.spec['report_id']}/{context.attempt}"
    num_bytes = context.storage.put_folder(folder, where)
    shutil.rmtree(folder)
    summary = _summary(report.evaluations[0])
    return {"report": {"path": where, "num_bytes": num_bytes, "summary": summary}}


def _summary(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "verdict": overall_words(evaluation),
        "alarms": [headline.name for headline in evaluation.alarms],
        "figures": {name: figure.value for name, figure in evaluation.figures.items()},
    }
