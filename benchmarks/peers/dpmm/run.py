"""Fits AIM or MST (dpmm) under differential privacy, its domain declared, and draws rows.

`--preset aim-4`: AIM at a total epsilon of 4, of which dpmm's default .1 goes to discretising. Its
defaults (16 rounds a column, 1,000 steps each, 80 MiB) take hours; `QUICKER` is what is used here.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from contract import READ_CSV, Request, Stopwatch, read_request, write_timing
from dpmm.pipelines import AIMPipeline, MSTPipeline

PIPELINES = {"aim": AIMPipeline, "mst": MSTPipeline}
QUICKER = {"rounds": 75, "n_iters": 100}
MIB = {"aim": 8, "mst": 80}
PROC_EPSILON = 0.1
DELTA = 1e-5
SCHEMAS = Path(__file__).resolve().parents[2] / "public_schemas"


def read_domain(request: Request) -> dict[str, dict[str, object]]:
    """The declared domain of the table: categories and bounds, as every system gets them."""
    name = request.train.parent.name
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    domain: dict[str, dict[str, object]] = {}
    for column in schema["columns"]:
        if column["kind"] == "category":
            domain[column["name"]] = {"categories": column["categories"]}
        else:
            low, high = float(column.get("minimum", "0")), float(column.get("maximum", "0"))
            domain[column["name"]] = {"lower": low, "upper": high}
    return domain


def main() -> None:
    """Fit the pipeline that the preset names, then generate."""
    request = read_request()
    kind, _, epsilon = (request.preset or "aim-1").partition("-")
    domain = read_domain(request)
    table = pd.read_csv(request.train, **READ_CSV)
    for name, column in domain.items():
        if "categories" in column:
            table[name] = table[name].astype(str).astype("category")
    pipeline = PIPELINES[kind](
        epsilon=float(epsilon) - PROC_EPSILON,
        delta=DELTA,
        proc_epsilon=PROC_EPSILON,
        n_jobs=1,
        max_model_size=MIB[kind],
        gen_kwargs=QUICKER if kind == "aim" else None,
    )
    watch = Stopwatch()
    with watch.stage("fit"):
        pipeline.fit(table, domain, random_state=request.seed)
    with watch.stage("sample"):
        synthetic = pipeline.generate(n_records=request.rows, random_state=request.seed)
    synthetic.to_csv(request.out, index=False)
    write_timing(
        request.timing,
        watch,
        version=f"dpmm {version('dpmm')}",
        threads=1,
        settings={
            "mechanism": kind,
            "epsilon": float(epsilon),
            "delta": DELTA,
            "MiB": MIB[kind],
            **(QUICKER if kind == "aim" else {}),
        },
    )


if __name__ == "__main__":
    main()
