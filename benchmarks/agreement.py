"""Whether our figures are mostlyai-qa's where both define the same number.

    python benchmarks/peers/setup_peer.py mostlyai_qa
    python benchmarks/agreement.py

- DCR share: ours on the vectors that it measures, all columns together. Its report shows another
  number: the largest share among all columns and six random or clustered groups of them.
- Univariate accuracy: 1 less our distance of its bins. It compares the synthetic table with train
  and holdout together, in deciles of both and at most ten categories. Without its bins the numbers
  coincide for columns of few, frequent categories; ours uses KS for numbers, and every category.

A tenth of the synthetic rows are train rows, so that the share is not one half.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from llmsynth_eval.entrance import Entrance, Question
from llmsynth_eval.fidelity import ColumnDistances
from llmsynth_eval.fidelity.distances import count_distance
from llmsynth_eval.privacy.dcr_share import nearer_and_tied
from llmsynth_eval.privacy.nearest import Points, nearest_distances
from wide_tables import wide_tables

from llmsynth import demo_tables

FOLDER = Path(__file__).resolve().parent / "peers" / "mostlyai_qa"
ROWS = 4_000
COPIES = ROWS // 10
FEW = 10
"""Its number of bins: a column of no more levels keeps them all."""
FREQUENT = 5
"""It joins rarer levels."""
PREFIX = "tgt::"


def main() -> None:
    """Measure both, print the differences."""
    real = pd.read_csv(demo_tables.path("adult"))
    tables = wide_tables(real, rows=ROWS, columns=len(real.columns), seed=0)
    tables["synthetic"].iloc[:COPIES] = tables["train"].iloc[:COPIES]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for role, table in tables.items():
            table.to_parquet(folder / f"{role}.parquet")
        command = [FOLDER / ".venv" / "bin" / "python", FOLDER / "definitions.py", folder]
        subprocess.run([str(part) for part in command], check=True)
        theirs = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
        share = _dcr_share(folder)
        binned = _binned_accuracies(folder)
    print(f"DCR share: ours {share:.5f}, theirs {theirs['dcr_share']:.5f}")
    accuracies = {c.removeprefix(PREFIX): v for c, v in theirs["accuracy"].items()}
    gaps = {name: abs(binned[name] - value) for name, value in accuracies.items()}
    print(f"accuracy on its bins: {len(gaps)} columns, largest difference {max(gaps.values()):.5f}")
    ours = _own_accuracies(tables)
    same = _few_and_frequent(tables)
    for name, value in accuracies.items():
        kind = "same definition" if name in same else "another definition"
        print(f"accuracy of {name}: ours {ours[name]:.5f}, theirs {value:.5f}, {kind}")


def _dcr_share(folder: Path) -> float:
    with np.load(folder / "vectors.npz") as vectors:
        points = {
            role: Points(dense=cells, wide=np.empty((len(cells), 0), dtype=np.int32))
            for role, cells in vectors.items()
        }
    to_train, to_holdout = (
        nearest_distances(points["synthetic"], points[role]) for role in ("train", "holdout")
    )
    nearer, tied = nearer_and_tied(to_train, to_holdout)
    return (nearer + tied / 2) / len(to_train)


def _binned_accuracies(folder: Path) -> dict[str, float]:
    real, synthetic = (pd.read_parquet(folder / f"{r}_bins.parquet") for r in ("real", "synthetic"))
    out = {}
    for name in real.columns:
        counts = pd.DataFrame(
            {0: real[name].value_counts(), 1: synthetic[name].value_counts()}
        ).fillna(0.0)
        distance = count_distance(counts[0].to_numpy(), counts[1].to_numpy())
        out[name.removeprefix(PREFIX)] = 1 - float(distance)
    return out


def _own_accuracies(tables: dict[str, pd.DataFrame]) -> dict[str, float]:
    both = pd.concat([tables["train"], tables["holdout"]], ignore_index=True)
    entrance = Entrance(both, tables["holdout"], Question())
    comparison = entrance.enter(tables["synthetic"], name="synthetic").comparison
    return {c.name: 1 - c.error for c in ColumnDistances().compute(comparison).columns}


def _few_and_frequent(tables: dict[str, pd.DataFrame]) -> set[str]:
    both = pd.concat([tables["train"], tables["holdout"]], ignore_index=True)
    counts = {name: both[name].value_counts() for name in both.select_dtypes(exclude="number")}
    return {n for n, c in counts.items() if len(c) <= FEW and c.min() >= FREQUENT}


if __name__ == "__main__":
    main()
