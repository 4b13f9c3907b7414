"""Draws rows of one class with SDV's CTGAN: fitted on the whole train table, then conditioned.

    python rare.py --train FILE --out FILE --target COLUMN --value CLASS --rows N

Defaults of SDV but for the epochs. Prints the seconds of fit and sample as JSON.
"""

from __future__ import annotations

import argparse
import json
import time

import pandas as pd
import torch
from contract import READ_CSV
from sdv.metadata import Metadata
from sdv.sampling import Condition
from sdv.single_table import CTGANSynthesizer

TABLE = "table"


def main() -> None:
    """Fit, draw, say how long it took."""
    parser = argparse.ArgumentParser()
    for name in ("train", "out", "target", "value"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    table = pd.read_csv(options.train, **{**READ_CSV, "dtype": {options.target: str}})
    torch.manual_seed(options.seed)
    numeric = set(table.select_dtypes("number").columns)
    kinds = {n: {"sdtype": "numerical" if n in numeric else "categorical"} for n in table.columns}
    metadata = Metadata.load_from_dict({"tables": {TABLE: {"columns": kinds}}})
    model = CTGANSynthesizer(metadata, epochs=options.epochs)
    started = time.perf_counter()
    model.fit({TABLE: table})
    fitted = time.perf_counter()
    wanted = Condition(
        num_rows=options.rows, table_name=TABLE, column_values={options.target: options.value}
    )
    drawn = model.sample_from_conditions([wanted], max_tries_per_batch=500)
    drawn[TABLE].to_csv(options.out, index=False)
    print(json.dumps({"fit": fitted - started, "sample": time.perf_counter() - fitted}))


if __name__ == "__main__":
    main()
