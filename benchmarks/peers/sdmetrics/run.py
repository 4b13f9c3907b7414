"""SDMetrics: quality report, diagnostic report and DCR, timed, with their figures as JSON."""

from __future__ import annotations

import argparse
import json
import resource
from pathlib import Path
from time import perf_counter, process_time

import pandas as pd
from sdmetrics.column_pairs import CorrelationSimilarity
from sdmetrics.reports import DiagnosticReport, QualityReport
from sdmetrics.single_column import KSComplement, TVComplement
from sdmetrics.single_table import DCROverfittingProtection

DCR_ROWS = 2_000
TABLE = "table"


def main() -> None:
    """Read three Parquet files, measure, write seconds and figures."""
    parser = argparse.ArgumentParser()
    for name in ("train", "holdout", "synthetic", "json"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    files = parser.parse_args()
    train, holdout, synthetic = (
        pd.read_parquet(file) for file in (files.train, files.holdout, files.synthetic)
    )
    numeric = list(train.select_dtypes("number").columns)
    kinds = {n: {"sdtype": "numerical" if n in numeric else "categorical"} for n in train.columns}
    metadata = {"tables": {TABLE: {"columns": kinds}}}
    tables = {TABLE: train}, {TABLE: synthetic}
    seconds: dict[str, float] = {}
    cpu_seconds: dict[str, float] = {}
    for name, report in (("quality", QualityReport()), ("diagnostic", DiagnosticReport())):
        start, cpu_start = perf_counter(), process_time()
        report.generate(*tables, metadata, verbose=False)
        seconds[name] = perf_counter() - start
        cpu_seconds[name] = process_time() - cpu_start
    start, cpu_start = perf_counter(), process_time()
    # its pandas cross joins do not finish on whole tables of this size
    DCROverfittingProtection.compute_breakdown(
        train,
        synthetic,
        holdout,
        metadata,
        TABLE,
        num_rows_subsample=min(DCR_ROWS, len(synthetic)),
    )
    seconds["dcr"] = perf_counter() - start
    cpu_seconds["dcr"] = process_time() - cpu_start
    figures = {
        name: (KSComplement if name in numeric else TVComplement).compute(
            train[name], synthetic[name]
        )
        for name in train.columns
    }
    pairs = {
        f"{first} x {second}": CorrelationSimilarity.compute(
            train[[first, second]], synthetic[[first, second]]
        )
        for place, first in enumerate(numeric)
        for second in numeric[:place]
    }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mib": peak}
    text = json.dumps({**found, "columns": figures, "correlations": pairs})
    files.json.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
