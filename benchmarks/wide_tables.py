"""Tables of any size for timing evaluations: real rows drawn again, with noise, widened."""

from __future__ import annotations

import numpy as np
import pandas as pd

NOISE = 0.02
ROLES = ("train", "holdout", "synthetic")


def wide_tables(
    real: pd.DataFrame, *, rows: int, columns: int, seed: int
) -> dict[str, pd.DataFrame]:
    """Train, holdout and synthetic tables of `rows` rows and `columns` columns.

    Each block of columns is the real table's, drawn anew with replacement; numbers move by 2% of
    their standard deviation, so that rows are not copies of each other.
    """
    return {
        role: _table(real, rows=rows, columns=columns, rng=np.random.default_rng((seed, number)))
        for number, role in enumerate(ROLES)
    }


def _table(
    real: pd.DataFrame, *, rows: int, columns: int, rng: np.random.Generator
) -> pd.DataFrame:
    blocks = []
    for block in range(-(-columns // len(real.columns))):
        drawn = real.iloc[rng.integers(0, len(real), rows)].reset_index(drop=True)
        blocks.append(drawn.rename(columns=lambda name, block=block: f"{name}_{block}"))
    table = pd.concat(blocks, axis=1).iloc[:, :columns]
    for name in table.select_dtypes("number").columns:
        spread = float(table[name].std())
        table[name] = table[name] + rng.normal(0.0, NOISE * spread, rows)
    return table
