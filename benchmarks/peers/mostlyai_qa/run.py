"""mostlyai-qa: its whole report, timed, with its metrics as JSON."""

from __future__ import annotations

import argparse
import json
import os
import resource
from pathlib import Path
from time import perf_counter

import pandas as pd
from mostlyai import qa

EMBEDDED_ROWS = 20_000
"""Of its similarity and its distances, which are the square of it; all rows for its accuracies."""


def main() -> None:
    """Read three Parquet files, report, write seconds and figures."""
    parser = argparse.ArgumentParser()
    for name in ("train", "holdout", "synthetic", "json"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    files = parser.parse_args()
    train, holdout, synthetic = (
        pd.read_parquet(file) for file in (files.train, files.holdout, files.synthetic)
    )
    start, before = perf_counter(), os.times()
    _, metrics = qa.report(
        syn_tgt_data=synthetic,
        trn_tgt_data=train,
        hol_tgt_data=holdout,
        max_sample_size_embeddings=EMBEDDED_ROWS,
        report_path=files.json.with_suffix(".html"),
    )
    seconds, after = {"report": perf_counter() - start}, os.times()
    # it works in processes of its own as well
    cpu_seconds = {"report": sum(after[:4]) - sum(before[:4])}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mib": peak}
    text = json.dumps({**found, "metrics": metrics.model_dump()})
    files.json.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
