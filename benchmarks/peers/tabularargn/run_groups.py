"""Fits MOSTLY AI's TabularARGN on groups: a flat model of what is static, a sequential one of rows.

This is what its SDK does with a subject table and a linked table. The ordering column, where it
holds days, has the encoding that the engine has for sequences (`TABULAR_DATETIME_RELATIVE`).
"""

from __future__ import annotations

from importlib.metadata import version
from time import perf_counter

import numpy as np
import pandas as pd
import torch
from contract import READ_CSV, Stopwatch, write_timing
from group_contract import GroupRequest, read_group_request
from mostlyai.engine import TabularARGN

RELATIVE = "TABULAR_DATETIME_RELATIVE"
LEAST_MINUTES = 0.1


def main() -> None:
    """Fit both, then draw subjects and their rows."""
    request = read_group_request()
    dates = [request.order_by] if request.is_date else []
    table = pd.read_csv(request.train, parse_dates=dates, **READ_CSV)
    table = table.sort_values([request.group_by, request.order_by], kind="stable")
    key = request.group_by
    subjects = table.groupby(key, sort=False)[[key, *request.static]].head(1)
    watch = Stopwatch()
    started = perf_counter()
    with watch.stage("fit"):
        flat = None
        if request.static:
            flat = TabularARGN(
                random_state=request.seed, max_training_time=request.max_minutes * 0.2
            )
            flat.fit(subjects[request.static])
        left = request.max_minutes - (perf_counter() - started) / 60
        rows = TabularARGN(
            random_state=request.seed,
            max_training_time=max(left, LEAST_MINUTES),
            tgt_context_key=key,
            ctx_data=subjects,
            ctx_primary_key=key,
            tgt_encoding_types=dict.fromkeys(dates, RELATIVE),
        )
        rows.fit(table.drop(columns=request.static))
    with watch.stage("sample"):
        synthetic = draw(flat, rows, request)
    synthetic[list(table.columns)].to_csv(request.out, index=False)
    write_timing(
        request.timing,
        watch,
        version=f"mostlyai-engine {version('mostlyai-engine')}",
        threads=torch.get_num_threads(),
        settings={"max_minutes": request.max_minutes, "order": RELATIVE if dates else "auto"},
    )


def draw(flat: TabularARGN | None, rows: TabularARGN, request: GroupRequest) -> pd.DataFrame:
    """New subjects, and the rows of each."""
    subjects = pd.DataFrame({request.group_by: np.arange(1, request.groups + 1)})
    if flat is not None:
        static = flat.sample(n_samples=request.groups).reset_index(drop=True)
        subjects = pd.concat([subjects, static[request.static]], axis=1)
    drawn = rows.sample(ctx_data=subjects)
    return drawn.merge(subjects, on=request.group_by, how="left")


if __name__ == "__main__":
    main()
