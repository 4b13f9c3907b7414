"""mostlyai-qa's own steps, one by one: bins, accuracies, vectors, and the DCR share on them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from mostlyai.qa._accuracy import bin_data, calculate_univariates
from mostlyai.qa._distances import calculate_dcr_share, calculate_dcrs_nndrs
from mostlyai.qa._sampling import prepare_data_for_accuracy, prepare_data_for_embeddings

NUM_BINS = 10
"""As its report has them."""


def main() -> None:
    """Read three Parquet files, write bins.parquet, vectors.npz and figures.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    np.random.seed(0)
    train, holdout, synthetic = (
        pd.read_parquet(folder / f"{role}.parquet") for role in ("train", "holdout", "synthetic")
    )
    parts = [prepare_data_for_accuracy(df_tgt=part, setup="1:1") for part in (train, holdout)]
    real = pd.concat(parts, ignore_index=True)
    drawn = prepare_data_for_accuracy(
        df_tgt=synthetic, setup="1:1", ori_dtypes=parts[0].dtypes.to_dict()
    )
    real_bins, edges = bin_data(df=real, bins=NUM_BINS)
    drawn_bins, _ = bin_data(df=drawn, bins=edges)
    accuracies = calculate_univariates(real_bins, drawn_bins)
    for role, table in {"real": real_bins, "synthetic": drawn_bins}.items():
        table.astype(str).to_parquet(folder / f"{role}_bins.parquet")
    rows, seen, unseen = prepare_data_for_embeddings(
        syn_tgt_data=synthetic, trn_tgt_data=train, hol_tgt_data=holdout
    )
    np.savez(folder / "vectors.npz", synthetic=rows, train=seen, holdout=unseen)
    to_seen, _ = calculate_dcrs_nndrs(data=seen, query=rows)
    to_unseen, _ = calculate_dcrs_nndrs(data=unseen, query=rows)
    figures = {
        "accuracy": dict(zip(accuracies["column"], accuracies["accuracy"], strict=True)),
        "dcr_share": float(calculate_dcr_share(to_seen, to_unseen)),
    }
    (folder / "figures.json").write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
