"""mostlyai-qa: its whole report, timed, with its metrics as JSON."""

from __future__ import annotations

import argparse
import json
import resource
from pathlib import Path
from time import perf_counter

import pandas as pd
from mostlyai import qa


def main() -> None:
    """Read three Parquet files, report, write seconds and figures."""
    parser = argparse.ArgumentParser()
    for name in ("train", "holdout", "synthetic", "json"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    files = parser.parse_args()
    train, holdout, synthetic = (
        pd.read_parquet(file) for file in (files.train, files.holdout, files.synthetic)
    )
    start = perf_counter()
    _, metrics = qa.report(
        syn_tgt_data=synthetic,
        trn_tgt_data=train,
        hol_tgt_data=holdout,
        report_path=files.json.with_suffix(".html"),
    )
    seconds = {"report": perf_counter() - start}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {"seconds": seconds, "peak_mib": peak, "metrics": metrics.model_dump()}
    files.json.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
