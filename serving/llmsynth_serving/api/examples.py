"""Examples for the OpenAPI document, one or more for each shape that has any."""

from __future__ import annotations

from typing import Any

TABLE = "age,sex,income\n39,Male,<=50K\n52,Female,>50K\n"
_TABLE_ID = "2f1b0c5e9d5a4c0f8a9f5f3b6f0f7a11"
_SYNTHESIZER_ID = "7c0d2a41b0b64f6f9a51f0f7f5f2ab90"
_JOB_ID = "b4cf7d5f4d3b4a0c8a9e3a9f6b1d2e70"
_MOMENT = "2026-11-22T10:15:00Z"
EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "SplitOrder": [{"holdout_share": 0.2}],
    "FitOrder": [
        {"table_id": _TABLE_ID, "target": "income", "max_minutes": 5},
        {"table_id": _TABLE_ID, "name": "quick look", "max_epochs": 1, "seed": 7},
        {"table_id": _TABLE_ID, "name": "private", "epsilon": 4, "entity": "patient_id"},
    ],
    "SampleOrder": [
        {"synthesizer_id": _SYNTHESIZER_ID, "rows": 10_000},
        {"synthesizer_id": _SYNTHESIZER_ID, "rows": 500, "where": {"sex": "Female"}, "seed": 2},
        {
            "synthesizer_id": _SYNTHESIZER_ID,
            "rows": 500,
            "quotas": {"income": {">50K": 0.5, "<=50K": 0.5}},
        },
    ],
    "EvaluationOrder": [
        {
            "table_id": "0d9a8f7e6c5b4a39281706f5e4d3c2b1",
            "train_id": _TABLE_ID,
            "holdout_id": "5a4c0f8a9f5f3b6f0f7a112f1b0c5e9d",
            "target": "income",
        }
    ],
    "RebalanceOrder": [
        {"table_id": _TABLE_ID, "groups": [{"where": {"income": ">50K"}, "share": 0.5}]},
        {
            "table_id": _TABLE_ID,
            "test_id": "5a4c0f8a9f5f3b6f0f7a112f1b0c5e9d",
            "groups": [
                {"where": {"income": ">50K", "age": {"minimum": 17, "maximum": 30}}, "share": 0.1}
            ],
            "relabel": True,
        },
    ],
    "GroupOrder": [{"where": {"income": ">50K"}, "share": 0.5}],
    "ImputeOrder": [
        {"table_id": _TABLE_ID},
        {"table_id": _TABLE_ID, "columns": ["age"], "draws": 5, "max_minutes": 5},
    ],
    "FewShotOrder": [
        {
            "rows": 200,
            "examples_table_id": _TABLE_ID,
            "instruction": "People of a census, one row a person.",
            "quotas": {"income": {">50K": 0.3}},
            "target": "income",
        },
        {
            "rows": 20,
            "schema": {
                "columns": [
                    {"name": "age", "kind": "number", "minimum": "18", "maximum": "90"},
                    {"name": "smokes", "kind": "category", "categories": ["no", "yes"]},
                ]
            },
            "examples": [{"age": 41, "smokes": "no"}, {"age": 63, "smokes": "yes"}],
        },
    ],
    "RowsOrder": [{"synthesizer_id": _SYNTHESIZER_ID, "rows": 20, "where": {"income": ">50K"}}],
    "KeyOrder": [{"name": "nightly run", "scope": "write", "max_running_jobs": 2}],
    "RowsDocument": [
        {
            "columns": ["age", "sex", "income"],
            "rows": [[41, "Male", ">50K"]],
            "seconds": 0.04,
            "is_partial": False,
        }
    ],
    "PreviewDocument": [
        {"columns": ["age", "sex", "income"], "rows": [[39, "Male", "<=50K"]], "num_rows": 2}
    ],
    "JobDocument": [
        {
            "id": _JOB_ID,
            "name": "synthesizer",
            "kind": "fit",
            "state": "running",
            "created_at": _MOMENT,
            "started_at": _MOMENT,
            "finished_at": None,
            "attempts": 1,
            "progress": {
                "stage": "train",
                "done": 120,
                "total": 400,
                "loss": 1.9,
                "seconds_left": 70.0,
            },
            "result": None,
            "error": None,
            "spec": {
                "table_id": _TABLE_ID,
                "synthesizer_id": _SYNTHESIZER_ID,
                "settings": {"target": "income", "max_minutes": 5},
            },
        }
    ],
}
